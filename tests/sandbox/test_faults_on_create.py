"""Each fault of a create request, seen over a real socket, and what was created all the same.

One sandbox has them all, each in a space of its own (the log shows a space's last four letters).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.sandbox.client import (
    Client,
    connected,
    documents,
    eventually,
    raw_request,
    until_closed,
)
from tests.sandbox.conftest import StartSandbox

FAULTS = Path(__file__).with_name("every_fault.toml")


@pytest.fixture(scope="module")
def faulty(start: StartSandbox) -> Iterator[Client]:
    client = start(faults=FAULTS, seed=7)
    yield client
    assert client.sandbox.complaints() == ""


def assert_created(client: Client, space: str, *identities: str) -> None:
    """The store and the log agree about what was created."""
    assert client.refs(space) == list(identities)
    assert client.created_in_log(space) == list(identities)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    ("where", "created"), [("before", []), ("amid", ["a", "b"]), ("after", ["a", "b", "c", "d"])]
)
def test_a_server_error_before_amid_and_after_creating(
    faulty: Client, status: int, where: str, created: list[str]
) -> None:
    space = f"{where}{status}"
    answer = faulty.create(*"abcd", space=space)
    assert answer.status_code == status
    if status == 500:
        assert answer.json() == {
            "message": "Task Creation Failed",
            "errors": "Internal Server Error",
        }
    else:
        assert answer.headers["content-type"] == "text/html"
        assert answer.text.startswith("<html>")
    assert_created(faulty, space, *created)
    assert len(faulty.runs(space)) == (0 if where == "before" else 1)
    assert faulty.logged(space)[0]["fault"] == f"status {status} {where}"


def test_a_run_that_broke_off_tells_how_many_documents_it_was_asked_for(faulty: Client) -> None:
    faulty.create(*"abcd", space="BATCHCOUNT")
    (run,) = faulty.runs("BATCHCOUNT")
    assert run["batch_count"] == 4
    assert len(faulty.tasks_of(run["run_id"], "BATCHCOUNT")) == 1


def test_creating_goes_on_after_the_500_was_answered(faulty: Client) -> None:
    space = "GOESON500"
    started = time.monotonic()
    assert faulty.create(*"abcd", space=space).status_code == 500
    assert time.monotonic() - started < 0.9
    (run,) = faulty.runs(space)
    assert run["batch_count"] == 4
    assert len(faulty.refs(space)) < 4
    eventually(lambda: len(faulty.refs(space)) == 4)
    assert_created(faulty, space, *"abcd")
    late = [line for line in faulty.sandbox.log_lines() if line.get("run_id") == run["run_id"]]
    assert [(line["event"], line["created"]) for line in late] == [
        ("request", ["a"]),
        ("created_late", ["b"]),
        ("created_late", ["c"]),
        ("created_late", ["d"]),
    ]
    tasks = faulty.tasks_of(run["run_id"], space)
    assert tasks[0]["created"] >= tasks[-1]["created"] == run["created"]
    assert faulty.runs(space)[0]["modified"] == tasks[0]["created"]


def test_a_dropped_connection_before_the_body_was_read(faulty: Client) -> None:
    with pytest.raises(httpx.TransportError):
        faulty.create("a", space="DROPHEAD")
    (line,) = faulty.logged("DROPHEAD")
    assert line["status"] is None
    assert line["fault"] == "drop before_body"
    assert_created(faulty, "DROPHEAD")


@pytest.mark.parametrize(
    ("where", "created"), [("before", []), ("amid", ["a"]), ("after", ["a", "b"])]
)
def test_a_dropped_connection_without_an_answer(
    faulty: Client, where: str, created: list[str]
) -> None:
    space = f"{where}D"
    with pytest.raises(httpx.RemoteProtocolError):
        faulty.create("a", "b", space=space)
    assert_created(faulty, space, *created)
    assert faulty.logged(space)[0]["status"] is None


def test_creating_goes_on_after_the_connection_was_dropped(faulty: Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        faulty.create("a", "b", space="lateD")
    eventually(lambda: faulty.created_in_log("lateD") == ["a", "b"])
    assert_created(faulty, "lateD", "a", "b")


def test_a_dropped_connection_amid_the_answer(faulty: Client) -> None:
    with connected(faulty.sandbox) as connection:
        connection.sendall(raw_request("DROPANSWER", documents("a")))
        head, _, rest = until_closed(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert rest == b'{"status_c'
    assert_created(faulty, "DROPANSWER", "a")


def test_a_connection_that_is_reset(faulty: Client) -> None:
    with connected(faulty.sandbox) as connection:
        connection.sendall(raw_request("RESETTED", documents("a")))
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
    assert_created(faulty, "RESETTED", "a")


def test_silence_before_creating_ends_in_creating_although_the_client_has_gone(
    faulty: Client,
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        faulty.create("a", space="beforeH", timeout=0.1)
    assert_created(faulty, "beforeH")
    eventually(lambda: faulty.refs("beforeH") == ["a"])
    assert_created(faulty, "beforeH", "a")


def test_silence_amid_creating(faulty: Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        faulty.create("a", "b", space="amidH", timeout=0.1)
    assert_created(faulty, "amidH", "a")
    eventually(lambda: faulty.refs("amidH") == ["a", "b"])
    assert_created(faulty, "amidH", "a", "b")


def test_silence_after_creating(faulty: Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        faulty.create("a", space="afterH", timeout=0.1)
    assert_created(faulty, "afterH", "a")


def test_silence_before_the_body_is_read(faulty: Client) -> None:
    started = time.monotonic()
    assert faulty.create("a", space="HANGHEAD").status_code == 200
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("field", ["pilot", "context", "schedule"])
def test_a_206_for_a_field_before_anything_is_created(faulty: Client, field: str) -> None:
    space = f"REFUSE{field}"
    answer = faulty.create("a", space=space)
    assert answer.status_code == 206
    assert answer.json() == {
        "status_code": 206,
        "message": "There is some Validation error",
        "data": {"errors": {field: ["This field is required."]}},
        "errors": {field: ["This field is required."]},
    }
    assert_created(faulty, space)


@pytest.mark.parametrize(
    ("field", "words"),
    [("space", "Invalid Space Token"), ("access", "You Don't have Access"), ("org", "Org-Handle")],
)
def test_a_206_for_a_space(faulty: Client, field: str, words: str) -> None:
    answer = faulty.create("a", space=f"REFUSE{field}")
    assert answer.status_code == 206
    assert answer.json()["message"].startswith(words)


def test_a_206_that_lists_only_the_tasks_that_were_created(faulty: Client) -> None:
    answer = faulty.create(*"abcd", space="amidP")
    assert answer.status_code == 206
    data = answer.json()["data"]
    assert len(data["task_ids"]) == 3
    assert {task["task_id"] for task in faulty.tasks("amidP")} == set(data["task_ids"])
    assert_created(faulty, "amidP", *"abc")


def test_a_200_that_lists_fewer_tasks_than_were_created(faulty: Client) -> None:
    answer = faulty.create(*"abcd", space="afterP")
    assert answer.status_code == 200
    assert len(answer.json()["data"]["task_ids"]) == 2
    assert_created(faulty, "afterP", *"abcd")


def test_a_200_whose_body_carries_another_status(faulty: Client) -> None:
    answer = faulty.create("a", space="BODYSTATUS")
    assert answer.status_code == 200
    assert answer.json()["status_code"] == 500
    assert_created(faulty, "BODYSTATUS")


def test_a_200_without_ids_although_all_was_created(faulty: Client) -> None:
    answer = faulty.create("a", space="NOIDS")
    assert answer.json()["data"] == {}
    assert_created(faulty, "NOIDS", "a")


def test_a_200_in_html_although_all_was_created(faulty: Client) -> None:
    answer = faulty.create("a", space="HTML200")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html"
    assert_created(faulty, "HTML200", "a")


def test_an_empty_answer(faulty: Client) -> None:
    answer = faulty.create("a", space="NOTHING200")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_400_for_a_document_that_the_file_names(faulty: Client) -> None:
    for _ in range(2):
        answer = faulty.create("good", "poison", space="POISON")
        assert answer.status_code == 400
        assert answer.json()["errors"] == {"contact_number": ["Not a phone number."]}
    assert faulty.create("good", space="POISON").status_code == 200
    assert_created(faulty, "POISON", "good")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_for_a_number_of_requests(faulty: Client, status: int) -> None:
    space = f"TIMES{status}"
    answers = [faulty.create("a", space=space).status_code for _ in range(3)]
    assert answers == [status, status, 200]


def test_a_413_by_size_and_a_422_by_number_of_documents(faulty: Client) -> None:
    assert faulty.create("a", space="SIZES").status_code == 200
    assert faulty.create(*"abc", space="SIZES").status_code == 422
    answer = faulty.create("a", space="SIZES", context="x" * 5000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "text/html"


def test_a_429_says_how_long_to_wait_and_what_the_limit_is(faulty: Client) -> None:
    answer = faulty.create("a", space="THROTTLED")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert int(answer.headers["x-ratelimit-limit"]) > 0
    until_reset = int(answer.headers["x-ratelimit-reset"]) - time.time()
    assert 1.5 < until_reset < 3.5


def test_a_rate_limit_lets_so_many_through_in_a_second(faulty: Client) -> None:
    answers = [faulty.create("a", space="RATE") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["x-ratelimit-limit"] == "3"


def test_json_that_is_cut_off(faulty: Client) -> None:
    answer = faulty.create("a", space="CUT")
    assert answer.status_code == 200
    assert answer.text == '{"status_code":200,"'
    assert_created(faulty, "CUT", "a")


def test_an_answer_that_drips(faulty: Client) -> None:
    started = time.monotonic()
    with connected(faulty.sandbox) as connection:
        connection.sendall(raw_request("DRIP", documents("a"), "Connection: close"))
        pieces = 0
        while connection.recv(65536):
            pieces += 1
    assert time.monotonic() - started >= 0.4
    assert pieces > 2
    assert_created(faulty, "DRIP", "a")


def test_the_nth_request_alone_meets_its_fault(faulty: Client) -> None:
    answers = [faulty.create("a", space="SECONDANDFOURTH").status_code for _ in range(5)]
    assert answers == [200, 503, 200, 503, 200]


def test_a_fault_never_creates_what_the_api_would_refuse(faulty: Client) -> None:
    answer = faulty.create("a", space="after500", context="")
    assert answer.status_code == 206
    assert "a" not in faulty.refs("after500")[4:]


def test_a_request_whose_last_byte_never_comes_creates_nothing(faulty: Client) -> None:
    space = "LASTBYTE"
    with connected(faulty.sandbox) as connection:
        connection.sendall(raw_request(space, documents("a"))[:-1])
    eventually(lambda: len(faulty.logged(space)) == 1)
    assert faulty.logged(space)[0]["event"] == "incomplete_request"
    assert_created(faulty, space)
