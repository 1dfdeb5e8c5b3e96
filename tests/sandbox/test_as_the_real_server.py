"""What was measured of the platform's own server, line by line, and the sandbox does as it does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.sandbox.client import Client, body, create_path, document, documents, eventually

if TYPE_CHECKING:
    from tests.sandbox.conftest import StartSandbox


def post(client: Client, space: str, content: bytes | str) -> Any:
    headers = {"Content-Type": "application/json"}
    return client.http.post(create_path(space), content=content, headers=headers)


def raw(*sent: str) -> str:
    return f'{{"pilot":"p","context":"c","documents":[{",".join(sent)}]}}'


def one(identity: str, extra: str = "") -> str:
    return f'{{"name":"Ada","contact_number":"+14155550123","document_id":"{identity}"{extra}}}'


def test_a_run_s_id_and_its_tasks_hold_the_server_s_time(plain: Client) -> None:
    data = plain.create("a", "b", space="UUIDS").json()["data"]
    ids = [UUID(word[1:]) for word in (data["run_id"], *data["task_ids"])]
    assert {each.version for each in ids} == {1}
    assert all(abs(each.time / 1e7 - 12_219_292_800 - time.time()) < 5 for each in ids)


def test_a_page_size_of_0_returns_everything_and_none_is_too_large(plain: Client) -> None:
    plain.create(*(f"d{n}" for n in range(1200)), space="PAGESIZE0")
    for asked in (0, 5000):
        assert len(plain.tasks("PAGESIZE0", page_size=asked)) == 1200
    assert len(plain.tasks("PAGESIZE0")) == 50


def test_a_page_beyond_the_end_is_empty_and_page_0_is_a_206(plain: Client) -> None:
    plain.create("a", space="BEYOND")
    assert plain.runs("BEYOND", page=9) == []
    for path in ("runs/", "tasks/"):
        answer = plain.read(f"spaces/BEYOND/{path}", page=0)
        assert answer.status_code == 206
        assert isinstance(answer.json()["data"], dict)


def test_tasks_of_a_space_can_be_narrowed(plain: Client) -> None:
    plain.create("ada", "bob", space="NARROWED")
    now = int(time.time())

    def refs(**query: object) -> list[str]:
        answer = plain.http.get("/api/v2/platform/spaces/NARROWED/tasks/", params=query)  # type: ignore[arg-type]
        assert answer.json()["count"] == len(answer.json()["data"])
        return [task["ref_id"] for task in answer.json()["data"]]

    assert refs(from_ts=now - 60, to_ts=now + 60) == ["bob", "ada"]
    assert refs(from_ts=now + 60) == refs(to_ts=now - 60) == refs(status="completed") == []
    assert refs(search="BOB", status="pending") == ["bob"]


def test_a_server_may_not_know_the_filters(start: StartSandbox) -> None:
    client = start(faults='[server]\nfilters = "ignored"\n')
    client.create("a", space="S")
    assert len(client.tasks("S", from_ts=int(time.time()) + 60)) == 1


def test_extra_fields_called_token_and_quality_come_back_as_others(plain: Client) -> None:
    sent = document("a", token="mine", quality=7, plan="gold")
    plain.http.post(create_path("OVERWRITTEN"), json=body([sent]))
    (task,) = plain.tasks("OVERWRITTEN")
    assert task["input"] == sent | {"token": "OVERWRITTEN", "quality": "good"}


@pytest.mark.parametrize(
    "extra",
    [
        ',"n":9223372036854775808',
        ',"n":{"deep":[1,-9223372036854775809]}',
        ',"a\\u0000b":1',
        ',"n":123456789012345678901234567890',
    ],
)
def test_what_cannot_be_stored_is_a_500_after_those_before_it(plain: Client, extra: str) -> None:
    space = f"UNSTORABLE{len(extra)}"
    answer = post(plain, space, raw(one("a"), one("b"), one("c", extra), one("d")))
    assert answer.status_code == 500
    assert answer.json() == {"message": "Task Creation Failed", "errors": "Internal Server Error"}
    assert plain.refs(space) == ["a", "b"]
    assert plain.created_in_log(space) == ["a", "b"]
    (run,) = plain.runs(space)
    assert run["batch_count"] == 4


def test_what_can_just_be_stored_is_stored(plain: Client) -> None:
    extra = ',"n":[9223372036854775807,-9223372036854775808],"s":"a\\u0000b","x":1e300'
    assert post(plain, "STORABLE", raw(one("a", extra))).status_code == 200
    assert plain.refs("STORABLE") == ["a"]


def test_an_infinite_number_is_a_500_with_a_page_and_nothing_is_created(plain: Client) -> None:
    answer = post(plain, "INFINITE", raw(one("a"), one("b", ',"n":1e400')))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/html"
    assert plain.runs("INFINITE") == []


def test_a_422_names_its_document(plain: Client) -> None:
    sent = body([document("a"), document("b", sandbox="unprocessable")])
    answer = plain.http.post(create_path("UNPROCESSABLE"), json=sent)
    assert answer.status_code == 422
    assert set(answer.json()) == {"message", "errors"}
    (fault,) = answer.json()["errors"]["detail"]
    assert fault["loc"][2] == 1


def test_a_400_says_its_words_in_data_detail(plain: Client) -> None:
    answer = post(plain, "BROKEN", b'{"pilot": ')
    assert answer.status_code == 400
    assert answer.json() == {
        "status_code": 400,
        "message": "Error",
        "data": {"detail": "JSON parse error"},
    }


def test_every_pilot_is_taken_and_only_agents_tell_which_there_are(start: StartSandbox) -> None:
    client = start(faults='[server]\nagents = ["space-agent-1", "b"]\n')
    assert client.create("a", pilot="space-agent-unknown").status_code == 200
    answer = client.read("agents/").json()
    assert [agent["handle"] for agent in answer["data"]] == ["space-agent-1", "b"]
    assert answer["count"] == 2


def test_a_space_that_is_not_for_calls_tells_it_in_its_tasks(start: StartSandbox) -> None:
    client = start(faults='[server]\nexecution_types = { MAIL = "email" }\n')
    for space in ("MAIL", "CALLS"):
        assert client.create("a", space=space).status_code == 200
    (mail,), (call,) = client.tasks("MAIL"), client.tasks("CALLS")
    assert (mail["execution_type"], call["execution_type"]) == ("email", "call")


def test_one_run_is_created_at_a_time_and_can_be_read_while_it_grows(start: StartSandbox) -> None:
    client = start(faults='[server]\ndocuments_per_second = 20\ncounts = "ahead"\n')
    with client.http.stream("POST", create_path("GROWS"), json=body(documents(*"abcdefgh"))):
        pass
    other = body(documents(*"abcd"))
    begun = time.monotonic()
    assert client.http.post(create_path("GROWS"), json=other).status_code == 200
    assert time.monotonic() - begun >= 0.15
    assert len(client.refs("GROWS")) == 12


def test_a_list_that_grows_is_shorter_than_its_count(start: StartSandbox) -> None:
    faults = '[server]\ncounts = "ahead"\n[[faults]]\nname="status"\nstatus=500\nwhere="late"\n'
    client = start(faults=f"{faults}created = 1\ndelay = 0.2\n")
    client.create(*"abc", space="AHEAD")
    (run,) = client.runs("AHEAD")
    path = f"spaces/AHEAD/runs/{run['run_id']}/tasks/"
    seen = client.read(path).json()
    assert (seen["count"], len(seen["data"])) == (3, 1)
    eventually(lambda: len(client.read(path).json()["data"]) == 3)
