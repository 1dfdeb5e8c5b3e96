"""`status` and `show`: what the ledger says, for scripts and for people."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from callspool.request.identity import Scope
from callspool_ledger.reads.views import AttemptLine, GateView, LedgerSummary, Story
from callspool_ledger.selectors import Selector
from callspool_operators.commands import show, status
from tests.operators.conftest import Call
from tests.support.servers import free_port

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
SUMMARY = LedgerSummary(
    documents={"accepted": 1200, "created": 1000, "waiting": 200, "duplicate": 7},
    submissions={"created": 10, "throttled": 2},
    runs=10,
    lanes={"open": 1, "paused": 0, "parked": 1},
    gates=[
        GateView(
            "space:default|8KZTOKEN",
            Selector("default", "8KZTOKEN"),
            "parked",
            "No\x1b[31m access",
            "403",
            AT,
        )
    ],
    oldest_waiting_seconds=75.2,
    spooled=40,
    unreadable=1,
    workers={"host-1-a", "host-2-b"},
)
STORY = Story(
    scope=Scope("default", "8KZTOKEN", "spring"),
    document_id="crm-17",
    state="in_doubt",
    accepted_at=AT,
    settled_at=None,
    expires_at=None,
    attempts=[AttemptLine(3, AT, "no_answer", "", "timed out", 100, 60.0)],
    run_id=None,
    task_id=None,
    reason="no answer within 60 s",
    batch=5,
    lane="0123456789abcdef0123",
    next_step="It may have been created.",
)


def test_status_for_people_has_states_lanes_waits_and_gates() -> None:
    text = "\n".join(status.lines_of(SUMMARY))
    assert "1,200 accepted" in text
    assert "1,000   created" in text
    assert "not accepted: 7 duplicate" in text
    assert "40 documents in the queue" in text
    assert "create-calls: 10 created, 2 throttled" in text
    assert "1 open, 1 parked" in text
    assert "workers: 2" in text
    assert "oldest wait: 1 min 15 s" in text
    assert "space 8KZT… of account default: No" in text
    assert "\x1b" not in text


def test_status_for_scripts_has_every_count() -> None:
    found = msgspec.json.decode(msgspec.json.encode(status.as_object(SUMMARY)))
    assert found["documents"]["accepted"] == 1200
    assert found["documents"]["dead"] == 0
    assert "read" not in found["documents"]
    assert found["submissions"]["not_sent"] == 0
    assert found["runs"] == 10
    assert (found["workers"], found["start_workers"]) == (2, None)
    assert found["gates"][0]["reason"].startswith("No")


def test_status_without_a_worker_says_what_to_type() -> None:
    nobody = replace(SUMMARY, workers=set())
    assert "workers: none; to start one: callspool worker" in status.lines_of(nobody)
    again = "callspool run with the same files and --state-dir /srv/list"
    found = status.as_object(nobody, where=" --state-dir /srv/list")
    assert (found["workers"], found["start_workers"]) == (0, again)
    assert any(again in line for line in status.lines_of(nobody, where=" --state-dir /srv/list"))


def test_status_of_an_empty_ledger_says_how_to_begin(call: Call, redis_url: str) -> None:
    result = call("status", "--redis", redis_url)
    assert result.code == 0
    assert "callspool send" in result.out
    assert call("status", "--redis", redis_url, "--json").json["runs"] == 0


def test_a_story_has_everything_and_what_comes_next() -> None:
    text = "\n".join(show.lines_of(STORY))
    assert text.startswith("crm-17: in doubt\n")
    assert "campaign  spring" in text
    assert "8KZTOKEN" not in text
    assert "attempt 3, " in text
    assert "no answer after 1 min 0 s, 100 documents: timed out" in text
    assert text.endswith("next: It may have been created.")


def test_times_have_the_users_offset() -> None:
    text = "\n".join(show.lines_of(STORY))
    assert AT.astimezone().isoformat(sep=" ", timespec="seconds") in text


def test_an_unknown_document_is_told_with_exit_code_1(call: Call, redis_url: str) -> None:
    result = call("show", "crm-17", "--redis", redis_url)
    assert result.code == 1
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert call("show", "crm-17", "--redis", redis_url, "--json").json == {
        "document_id": "crm-17",
        "stories": [],
    }


def test_commands_that_a_story_names_lead_to_the_ledger_it_was_read_from():
    paused = replace(
        STORY, next_step="`callspool resume --all` lets it be sent, or `callspool run`."
    )
    text = "\n".join(show.lines_of(paused, "/srv/my list"))
    assert "`callspool resume --all --state-dir '/srv/my list'` lets it be sent" in text
    assert text.endswith("or `callspool run`.")


def test_a_ledger_of_a_run_is_pointed_at_where_it_may_be_meant(
    call: Call, redis_url: str, tmp_path: Path
) -> None:
    where = {"XDG_STATE_HOME": str(tmp_path)}
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    assert "callspool run" not in call("show", "x", CALLSPOOL_REDIS_URL=redis_url, **where).err
    (tmp_path / "callspool" / "appendonlydir").mkdir(parents=True)
    hint = f"the ledger of callspool run is reached with --state-dir {tmp_path / 'callspool'}"
    assert hint in call("show", "x", CALLSPOOL_REDIS_URL=redis_url, **where).err
    assert hint in call("status", CALLSPOOL_REDIS_URL=nowhere, **where).err
    assert hint not in call("status", "--redis", nowhere, **where).err
