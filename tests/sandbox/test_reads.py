"""Reading back: pages, order, counts, and the server's own clock."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from tests.sandbox.client import HEADERS, Client, bare_client, body, create_path, document
from tests.sandbox.conftest import StartSandbox

ODD = """
[server]
page_size = 2
max_page_size = 3
clock_skew = -7200.0
created_zone = ""
data_status = "object"
"""


@pytest.fixture(scope="module")
def odd(start: StartSandbox) -> Client:
    return start(faults=ODD)


def test_runs_come_newest_first_and_in_pages(plain: Client) -> None:
    space = "PAGERUNS"
    made = [plain.create("a", space=space).json()["data"]["run_id"] for _ in range(7)]
    newest_first = made[::-1]
    first = plain.read(f"spaces/{space}/runs/", page=1, page_size=3).json()
    assert first["count"] == 7
    assert first["status_code"] == 200
    assert [run["run_id"] for run in first["data"]] == newest_first[:3]
    assert [run["run_id"] for run in plain.runs(space, page=3, page_size=3)] == newest_first[6:]
    assert plain.runs(space, page=4, page_size=3) == []
    assert [run["run_id"] for run in plain.runs(space)] == newest_first


def test_tasks_of_a_space_are_paged_across_its_runs(plain: Client) -> None:
    space = "PAGETASKS"
    plain.create("a", "b", "c", space=space)
    plain.create("d", space=space)
    plain.create("e", "f", space=space)
    pages = [plain.tasks(space, page=page, page_size=2) for page in (1, 2, 3, 4)]
    assert [[task["ref_id"] for task in page] for page in pages] == [
        ["f", "e"],
        ["d", "c"],
        ["b", "a"],
        [],
    ]
    assert plain.read(f"spaces/{space}/tasks/").json()["count"] == 6


def test_tasks_of_a_run_are_paged(plain: Client) -> None:
    space = "PAGEONERUN"
    run_id = plain.create("a", "b", "c", space=space).json()["data"]["run_id"]
    plain.create("d", space=space)
    found = [plain.tasks_of(run_id, space, page=page, page_size=2) for page in (1, 2)]
    assert [[task["ref_id"] for task in page] for page in found] == [["c", "b"], ["a"]]


def test_the_page_size_is_the_server_s_where_none_is_asked_for_and_capped(odd: Client) -> None:
    odd.create(*"abcdef", space="PAGED")
    assert len(odd.tasks("PAGED")) == 2
    assert len(odd.tasks("PAGED", page_size=100)) == 3


def test_extra_fields_come_back_in_a_task_s_input(plain: Client) -> None:
    space = "EXTRAFIELDS"
    sent = document("a", plan="gold", nested={"ä": [1, 2.5, None]})
    plain.http.post(create_path(space), json=body([sent]))
    (task,) = plain.tasks(space)
    assert task["input"] == sent
    assert task["assignee"] == "space-agent-1"


def test_a_run_is_only_found_in_its_own_space(plain: Client) -> None:
    run_id = plain.create("a", space="HERE").json()["data"]["run_id"]
    for space, run in (("THERE", run_id), ("HERE", "R" + "0" * 32), ("HERE", "R1")):
        answer = plain.read(f"spaces/{space}/runs/{run}/tasks/")
        assert answer.status_code == 200
        assert (answer.json()["count"], answer.json()["data"]) == (0, [])
    assert len(plain.tasks_of(run_id, "HERE")) == 1


def test_a_space_without_runs_is_an_empty_list(plain: Client) -> None:
    assert plain.runs("NOTHING") == []
    assert plain.tasks("NOTHING") == []


def test_only_agents_look_at_the_org_handle(plain: Client, start: StartSandbox) -> None:
    (agent,) = plain.read("agents/").json()["data"]
    assert (agent["handle"], agent["state"]) == ("space-agent-sandbox", "published")
    ours = start(org_handle="ours")
    assert ours.read("agents/").status_code == 404  # unpod.tv is unknown there
    assert ours.create("a", space="NOORG").status_code == 200
    with bare_client(plain.sandbox) as http:
        token = {"Authorization": HEADERS["Authorization"]}
        for path, status in (("agents/", 400), ("spaces/S/runs/", 200), ("spaces/S/tasks/", 200)):
            assert http.get(f"/api/v2/platform/{path}", headers=token).status_code == status
            assert http.get(f"/api/v2/platform/{path}").status_code == 401


def test_created_is_in_whole_seconds_of_utc_and_agrees_with_the_date_header(plain: Client) -> None:
    answer = plain.create("a", space="CLOCK")
    created = plain.runs("CLOCK")[0]["created"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", created)
    told = parsedate_to_datetime(answer.headers["date"]).timestamp()
    moment = datetime.fromisoformat(created).replace(tzinfo=UTC).timestamp()
    assert abs(moment - told) < 2
    assert abs(told - time.time()) < 2


def test_a_skewed_server_is_skewed_in_its_date_header_and_its_times(odd: Client) -> None:
    answer = odd.create("a")
    told = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert abs(told - (time.time() - 7200)) < 2
    created = odd.runs()[0]["created"]
    assert created[-1] != "Z"
    moment = datetime.fromisoformat(created).replace(tzinfo=UTC).timestamp()
    assert abs(moment - told) < 2
    logged = datetime.fromisoformat(odd.sandbox.log_lines()[0]["time"])
    assert abs(logged.timestamp() - time.time()) < 5


def test_the_status_of_a_create_answer_can_be_an_object(odd: Client) -> None:
    data = odd.create("a", "b").json()["data"]
    assert data["status"] == dict.fromkeys(data["task_ids"], "pending")


def test_lists_can_be_those_of_a_server_that_pages_and_counts_in_its_own_way(
    start: StartSandbox,
) -> None:
    ignoring = start(faults='[server]\npages = "ignored"\ncounts = false\nmax_page_size = 2\n')
    clamping = start(faults='[server]\npages = "clamped"\nmax_page_size = 2\n')
    for client in (ignoring, clamping):
        for identity in "abc":
            client.create(identity, space="WAYS")
    first, second = (ignoring.read("spaces/WAYS/runs/", page=page).json() for page in (1, 2))
    assert first == second
    assert "count" not in first
    assert len(clamping.runs("WAYS", page=2)) == 1
    assert clamping.runs("WAYS", page=2) == clamping.runs("WAYS", page=9)


def test_tasks_can_show_less_of_their_documents_and_runs_another_clock(start: StartSandbox) -> None:
    known = start(faults='[server]\ninput = "known"\ncreated_shift = 19800\ncreated_zone = ""\n')
    nothing = start(faults='[server]\ninput = "none"\n')
    for client in (known, nothing):
        client.create("a", space="LESS")
    (task,) = known.tasks("LESS")
    assert task["ref_id"] == "a"
    assert "callspool_attempt" not in task["input"]
    assert task["input"]["document_id"] == "a"
    (run,) = known.runs("LESS")
    ahead = datetime.fromisoformat(run["created"]).replace(tzinfo=UTC).timestamp() - time.time()
    assert abs(ahead - 19800) < 60
    (bare,) = nothing.tasks("LESS")
    assert (bare["input"], "ref_id" in bare) == ({}, False)
