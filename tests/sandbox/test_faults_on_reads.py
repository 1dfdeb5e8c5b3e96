"""Reads that fail, are forbidden or missing, or never end."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.sandbox.client import Client
from tests.sandbox.conftest import StartSandbox

FAULTS = """
[[faults]]
name = "status"
status = 206
on = "runs"
space = "FAILED"

[[faults]]
name = "refuse"
field = "access"
on = "reads"
space = "NOACCESS"

[[faults]]
name = "status"
status = 403
on = "tasks"
space = "FORBIDDEN"

[[faults]]
name = "status"
status = 404
on = "reads"
space = "NOTHERE"

[[faults]]
name = "status"
status = 500
on = "reads"
times = 2
space = "FORAWHILE"

[[faults]]
name = "status"
status = 429
retry_after = 1
on = "any"
space = "THROTTLED"

[[faults]]
name = "status"
status = 200
body = "html"
on = "runs"
space = "HTML"

[[faults]]
name = "cut"
on = "runs"
space = "CUT"

[[faults]]
name = "hang"
where = "before"
seconds = 2.0
on = "runs"
space = "HANG"

[[faults]]
name = "drip"
seconds = 0.3
pieces = 5
on = "runs"
space = "DRIP"

[[faults]]
name = "drop"
where = "before"
on = "runs"
space = "DROP"

[[faults]]
name = "drop"
where = "response"
on = "runs"
space = "HALF"

[[faults]]
name = "status"
status = 503
on = "agents"
"""


@pytest.fixture(scope="module")
def faulty(start: StartSandbox) -> Client:
    return start(faults=FAULTS)


@pytest.mark.parametrize("space", ["FAILED", "NOACCESS"])
def test_a_failed_read_is_a_206_whose_data_is_an_object(faulty: Client, space: str) -> None:
    assert faulty.create("a", space=space).status_code == 200
    answer = faulty.read(f"spaces/{space}/runs/")
    assert answer.status_code == 206
    assert answer.json()["data"] == {}


def test_one_endpoint_may_be_forbidden_while_another_works(faulty: Client) -> None:
    run_id = faulty.create("a", space="FORBIDDEN").json()["data"]["run_id"]
    assert len(faulty.runs("FORBIDDEN")) == 1
    assert faulty.read(f"spaces/FORBIDDEN/runs/{run_id}/tasks/").status_code == 403


def test_reads_that_do_not_exist(faulty: Client) -> None:
    for path in ("runs/", "tasks/"):
        assert faulty.read(f"spaces/NOTHERE/{path}").status_code == 404


def test_reads_that_fail_for_a_while(faulty: Client) -> None:
    found = [faulty.read("spaces/FORAWHILE/runs/").status_code for _ in range(3)]
    assert found == [500, 500, 200]


def test_any_request_can_be_throttled(faulty: Client) -> None:
    assert faulty.create("a", space="THROTTLED").status_code == 429
    assert faulty.read("spaces/THROTTLED/runs/").headers["retry-after"] == "1"


def test_html_and_cut_off_json_in_place_of_a_page(faulty: Client) -> None:
    assert faulty.read("spaces/HTML/runs/").text.startswith("<html>")
    with pytest.raises(ValueError):
        faulty.read("spaces/CUT/runs/").json()


def test_reads_that_hang_or_drip(faulty: Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        faulty.http.get("/api/v2/platform/spaces/HANG/runs/", timeout=0.1)
    started = time.monotonic()
    assert faulty.runs("DRIP") == []
    assert time.monotonic() - started >= 0.25


@pytest.mark.parametrize("space", ["DROP", "HALF"])
def test_reads_whose_connection_is_dropped(faulty: Client, space: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        faulty.runs(space)


def test_agents_can_fail_too(faulty: Client) -> None:
    assert faulty.read("agents/").status_code == 503
