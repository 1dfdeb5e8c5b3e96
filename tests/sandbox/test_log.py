"""The log is the truth about what was created, and tells nobody's number."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from callspool_sandbox.log import EventLog
from tests.sandbox.client import Client, body, create_path, document, eventually
from tests.sandbox.conftest import StartSandbox
from tests.support import cli
from tests.support.servers import free_port

EVERYTHING_AT_ONCE = """
[[faults]]
name = "status"
status = 500
where = "late"
delay = 0.002
probability = 0.1

[[faults]]
name = "status"
status = 502
where = "amid"
probability = 0.1

[[faults]]
name = "drop"
where = "after"
probability = 0.1

[[faults]]
name = "drop"
where = "late"
delay = 0.001
probability = 0.1

[[faults]]
name = "drop"
where = "response"
probability = 0.1

[[faults]]
name = "partial"
probability = 0.1

[[faults]]
name = "status"
status = 503
probability = 0.1

[[faults]]
name = "hang"
where = "amid"
seconds = 0.05
probability = 0.1
"""


def test_log_store_and_answers_agree_whatever_happens(start: StartSandbox) -> None:
    chaotic = start(faults=EVERYTHING_AT_ONCE, seed=11)
    space = "CHAOSSPACE"

    def one(number: int) -> list[str]:
        identities = [f"{number}-{place}" for place in range(random.Random(number).randint(1, 9))]
        try:
            answer = chaotic.create(*identities, space=space)
        except httpx.TransportError:
            return []
        return identities if answer.status_code == 200 else []

    with ThreadPoolExecutor(8) as pool:
        confirmed = {identity for ids in pool.map(one, range(300)) for identity in ids}

    def stored() -> list[str]:
        return [
            task["ref_id"]
            for page in range(1, 4)
            for task in chaotic.tasks(space, page=page, page_size=1000)
        ]

    lines = chaotic.logged(space)
    assert len(lines) == 300
    late = {"status 500 late", "drop late", "hang amid"}
    owed = {line["request"]: line["documents"] for line in lines if line["fault"] in late}

    def all_late_ones_came() -> bool:
        for line in chaotic.sandbox.log_lines():
            if line["request"] in owed:
                owed[line["request"]] -= len(line.get("created", ()))
        done = not any(owed.values())
        owed.update({line["request"]: line["documents"] for line in lines if line["fault"] in late})
        return done

    eventually(all_late_ones_came)
    created = chaotic.sandbox.created_ids()
    assert sorted(created) == sorted(stored())
    assert len(set(created)) == len(created)
    assert confirmed <= set(created)
    assert {line["fault"] for line in lines} >= late
    assert chaotic.sandbox.complaints() == ""


def test_a_line_says_what_was_asked_and_what_became_of_it(plain: Client) -> None:
    space = "8KZAMRAHSXXXXXXMAYNLINE"
    sent = [document("a", callspool_attempt="w2"), document("b", callspool_attempt="w1")]
    answer = plain.http.post(create_path(space), json=body(sent))
    (line,) = plain.logged(space)
    assert line.pop("time").endswith("Z")
    assert line.pop("seconds") >= 0
    assert line.pop("request") >= 1
    assert line == {
        "event": "request",
        "method": "POST",
        "path": "/api/v2/platform/spaces/...LINE/tasks/create/",
        "status": 200,
        "fault": None,
        "documents": 2,
        "created": ["a", "b"],
        "run_id": answer.json()["data"]["run_id"],
        "attempt": ["w1", "w2"],
        "bytes": len(answer.request.content),
    }


def test_a_created_document_is_in_the_log_before_its_answer_arrives(plain: Client) -> None:
    for number in range(50):
        plain.create(f"seen-{number}", space="SEENINLOG")
        assert plain.created_in_log("SEENINLOG")[-1] == f"seen-{number}"


def test_no_number_no_token_and_no_whole_space_token_is_in_the_log(plain: Client) -> None:
    plain.create("a", space="VERYSECRETSPACE")
    plain.read("spaces/VERYSECRETSPACE/runs/", page=1)
    plain.http.get("/elsewhere/?token=secret-token")
    plain.http.get("/api/v2/platform/spaces/VERYSECRETSPACE/none/?token=secret-token")
    assert plain.sandbox.log_path is not None
    text = plain.sandbox.log_path.read_text()
    assert "...PACE" in text
    for secret in ("secret-token", "VERYSECRETSPACE", "4155550123", "Ada"):
        assert secret not in text


def test_reads_are_logged_too(plain: Client) -> None:
    plain.read("spaces/READLOGGED/runs/")
    (line,) = [line for line in plain.sandbox.log_lines() if "GGED/runs/" in line["path"]]
    assert (line["method"], line["status"]) == ("GET", 200)


def test_every_line_is_json_of_its_own(plain: Client) -> None:
    assert plain.sandbox.log_path is not None
    for line in plain.sandbox.log_path.read_text().splitlines():
        assert isinstance(json.loads(line), dict)


def test_the_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "log.jsonl").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=r"log\.jsonl"):
        EventLog(str(tmp_path / "log.jsonl"))
    assert (tmp_path / "precious").read_text() == "kept"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_that_cannot_be_written_ends_the_sandbox_with_one_line(tmp_path: Path) -> None:
    port = free_port()
    process = cli.start(
        ["sandbox", "--port", str(port), "--log", "/dev/full"], cli.environment(tmp_path), tmp_path
    )
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(httpx.TransportError):  # no answer goes out without its line
        httpx.get(f"http://127.0.0.1:{port}/api/v2/platform/agents/")
    _, told = process.communicate(timeout=20)
    assert process.returncode == 2
    assert told == "callspool: log /dev/full: cannot be written: No space left on device\n"
