"""The commands by which operators steer, as they are typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from callspool.request.identity import Scope
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.commands import steering_ledger
from callspool_operators.terminal import screen
from tests.operators.conftest import Call, call  # noqa: F401 - a fixture
from tests.support.ledgers import LANE, LedgerUnderTest, P, group
from tests.support.servers import free_port
from tests.support.terminal import on_a_terminal

SPRING = LANE._replace(space_token="8KZTOKEN", campaign="spring")


@pytest.fixture
def filled(client: redis.Redis) -> LedgerUnderTest:
    """35 documents that wait in one lane, 12 in another, and a dead one in each."""
    spool = LedgerUnderTest(client, batch_size=10, linger_ms=0)
    spool.accept(
        group([f"c{number}" for number in range(35)]),
        group([f"c{number}" for number in range(12)], SPRING),
        group(["d1"], reason="it is too large"),
        group(["d2"], SPRING, reason="it is too large"),
    )
    return spool


@pytest.fixture
def ask(call: Call, filled: LedgerUnderTest, redis_url: str) -> Call:  # noqa: F811
    """Runs a command on that ledger, as ann."""

    def run(*arguments: str, **environment: str) -> Any:
        return call(*arguments, "--redis", redis_url, CALLSPOOL_OPERATOR="ann", **environment)

    return run


def test_lanes_tell_how_many_wait_where_and_why(ask: Call):
    ask("pause", "--space-token", "8KZTOKEN")
    result = ask("lanes", "--limit", "1")
    heading, first, more = result.out.splitlines()
    assert heading.split() == [
        "lane",
        "account",
        "space",
        "campaign",
        "pilot",
        "waiting",
        "oldest",
        "state",
        "why",
    ]
    assert first.split()[:6] == [group([], LANE).lane_id, "default", "SPACE", "-", "pilot-a", "35"]
    assert more.startswith("and 1 lane more")
    second = ask("lanes", "--campaign", "spring").out.splitlines()[1]
    assert "8KZ…" not in second
    assert "8KZT…" in second
    assert second.endswith("paused  by ann")
    found = ask("lanes", "--json", "--sort", "oldest").json
    assert (found["total"], found["more"]) == (2, 0)
    assert {lane["waiting"] for lane in found["lanes"]} == {35, 12}
    assert {lane["state"] for lane in found["lanes"]} == {"open", "paused"}


def test_nothing_that_helps_is_cut_off_on_a_narrow_terminal(ask: Call, redis_url: str):
    campaign = "spring-of-the-year-2027-second-wave"
    with redis.Redis.from_url(redis_url) as client:
        LedgerUnderTest(client).accept(group(["late"], LANE._replace(campaign=campaign)))
    note = "the list is being corrected by those who wrote it, and comes back before noon"
    ask("pause", "--campaign", campaign, "--note", note)
    for command in (["lanes"], ["status", "--watch", "--count", "1"]):
        seen = on_a_terminal([*command, "--redis", redis_url], b"", columns=60)
        lines = [re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", each) for each in seen.screen.splitlines()]
        text = " ".join(" ".join(lines).split())
        assert note in text
        assert campaign in text
        assert f"callspool resume --campaign {campaign}" in text or command == ["lanes"]
        drawn = lines[: lines.index("")] if "" in lines else lines
        assert max(map(len, drawn)) <= 60
    assert f"paused by ann ({note})" in ask("show", "late").out


def test_pause_and_resume_say_what_they_did_each_time(ask: Call):
    first = ask("pause", "--campaign", "spring", "--note", "wrong list")
    assert (first.code, first.err) == (0, "")
    assert "Campaign spring is paused: 12 documents wait" in first.out
    assert "\nNote: wrong list\n" in first.out
    assert "callspool resume --campaign spring" in first.out
    assert "was paused already, by ann" in ask("pause", "--campaign", "spring").out
    ask("pause", "--all")
    narrower = ask("resume", "--account", "default")
    assert narrower.code == 0
    assert "callspool resume --all" in narrower.out
    assert "paused since" in ask("status").out
    opened = ask("resume", "--all", "--json").json
    assert [gate["level"] for gate in opened["opened"]] == ["all", "campaign"]
    nothing = ask("resume", "--all")
    assert (nothing.code, nothing.out) == (
        0,
        "Nothing was paused or parked.\n",
    )


def test_what_waits_behind_a_pause_or_a_gate_has_that_reason(
    ask: Call, filled: LedgerUnderTest, client: redis.Redis
):
    client.hset(f"{P}:gates", "space:default|SPACE", '{"since":1,"reason":"No access."}')
    ask("pause", "--campaign", "spring", "--note", "wrong list")
    scopes = (Scope(*SPRING[:3]), Scope(*LANE[:3]))
    statuses = [LedgerReader(client).ask(read_statuses(scope, ["c1"]))[0] for scope in scopes]
    paused, parked = (status.reason for status in statuses if status)
    assert paused == "paused by ann (wrong list)"
    assert parked == "its space is parked: No access"
    (story,) = ask("show", "c1", "--campaign", "spring", "--json").json["stories"]
    assert story["reason"] == paused


def test_a_pause_says_why_and_until_when(ask: Call):
    note, long = "the list is being corrected", "x" * 201
    made = ask("pause", "--campaign", "spring", "--note", note, "--until", "2h")
    assert "Workers end the pause at 20" in made.out
    assert note in ask("status").out
    assert f"({note})" in ask("journal").out
    (gate,) = ask("status", "--json").json["gates"]
    assert gate["note"] == note
    assert gate["until"] > gate["since"]
    for wrong in (["--until", "2020-01-01T10:00+00:00"], ["--until", "soon"], ["--note", long]):
        refused = ask("pause", "--all", *wrong)
        assert (refused.code, refused.err.count("\n")) == (2, 1)


def test_a_space_is_found_by_the_beginning_that_listings_show(ask: Call):
    assert "12 documents wait" in ask("pause", "--space-token", "8KZT…").out
    unknown = ask("pause", "--space-token", "9ABC…")
    assert (unknown.code, unknown.err.count("\n")) == (2, 1)
    assert "no space" in unknown.err


def test_a_pause_of_what_nobody_knows_says_so_and_holds_what_comes_later(
    ask: Call, filled: LedgerUnderTest
):
    assert "check the name" in ask("pause", "--campaign", "summer").out
    filled.accept(group(["late"], LANE._replace(campaign="summer")))
    assert ask("lanes", "--campaign", "summer", "--json").json["lanes"][0]["state"] == "paused"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["pause"], "--all"),
        (["resume"], "--all"),
        (["cancel"], "--all"),
        (["dead", "drop"], "--all"),
        (["pause", "--all", "--campaign", "spring"], "--all"),
        (["pause", "--lane", "12"], "callspool lanes"),
        (["pause", "--lane", "0" * 20, "--campaign", "spring"], "--lane"),
        (["pause", "--account", "no such"], "account"),
        (["cancel", "--document-id", "c1", "--lane", "0" * 20], "--lane"),
        (["dead", "replay", "--messages", "--campaign", "spring"], "--messages"),
    ],
)
def test_wrong_use_is_one_line_with_exit_code_2(arguments: list[str], word: str, ask: Call):
    result = ask(*arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert word in result.err


@pytest.mark.parametrize("command", ["lanes", "pause", "resume", "cancel", "dead list", "journal"])
def test_a_redis_that_is_not_there_is_told_with_exit_code_3(
    command: str,
    call: Call,  # noqa: F811
):
    selected = [] if command == "journal" else ["--all"]
    url = f"redis://127.0.0.1:{free_port()}/0"
    result = call(*command.split(), *selected, "--redis", url)
    assert (result.code, result.out, result.err.count("\n")) == (3, "", 1)


def test_cancel_takes_back_what_waits_and_says_what_it_left(ask: Call, filled: LedgerUnderTest):
    filled.client.hset(f"{P}:counts", "spooled", 7)
    filled.ledger.take("me:1", ["default"])
    result = ask("cancel", "--all", "--yes")
    assert "37 documents cancelled (everything)." in result.out
    assert "12 documents are being sent, in doubt or dead" in result.out
    assert "7 documents lie in the queue" in result.out
    again = ask("cancel", "--all", "--yes", "--json").json
    assert (again["cancelled"], again["waiting"], again["spooled"]) == (0, 0, 7)
    filled.check()


def test_one_document_is_cancelled_and_a_script_learns_what_it_was_before(ask: Call):
    assert ask("cancel", "--yes", "--document-id", "c3", "--campaign", "spring").code == 0
    found = ask("cancel", "--yes", "--document-id", "c3", "--json").json
    assert found["cancelled"] == 1
    assert {one["campaign"]: one["was"] for one in found["documents"]} == {
        "": "waiting",
        "spring": "cancelled",
    }
    assert ask("cancel", "--yes", "--document-id", "c3").code == 0
    unknown = ask("cancel", "--yes", "--document-id", "nobody")
    assert (unknown.code, unknown.out, "not known" in unknown.err) == (1, "", True)
    assert ask("cancel", "--yes", "--document-id", "d1").code == 1
    assert "cancel document c3" in ask("show", "c3").out


def test_the_dead_are_listed_replayed_and_dropped(ask: Call, filled: LedgerUnderTest):
    assert ask("dead", "list", "--campaign", "spring").out.endswith(
        "d2 (space 8KZT…, campaign spring): it is too large\n"
    )
    assert ask("dead", "list", "--document-id", "d1", "--json").json["total"] == 1
    assert "callspool dead replay --document-id d1" in ask("show", "d1").out
    assert ask("dead", "replay", "--document-id", "d1").code == 0
    assert ask("dead", "replay", "--document-id", "d1").code == 0
    assert ask("dead", "replay", "--document-id", "c1").code == 0
    assert ask("dead", "drop", "--yes", "--document-id", "c1").code == 1
    assert "1 dead document dropped" in ask("dead", "drop", "--yes", "--all").out
    assert ask("dead", "drop", "--yes", "--document-id", "d2").code == 0
    assert "given up" in ask("show", "d2").out
    assert ask("dead", "list", "--json").json == {
        "documents": [],
        "total": 0,
        "more": 0,
        "messages": [],
    }
    assert ask("dead", "list").out == "Nothing is dead here.\n"
    filled.check()


def test_the_journal_tells_who_did_what_without_whole_space_tokens(ask: Call):
    assert "No operator" in ask("journal").out
    ask("pause", "--space-token", "8KZTOKEN")
    ask("cancel", "--yes", "--space-token", "8KZTOKEN", "--campaign", "spring")
    ask("dead", "replay", "--document-id", "d1")
    lines = ask("journal").out.splitlines()
    assert [line.partition("  ")[2] for line in lines] == [
        "ann: dead replay document d1: 1 document",
        "ann: cancel space 8KZT…, campaign spring: 12 documents",
        "ann: pause space 8KZT…: 12 documents",
    ]
    for command in ("journal", "status"):
        entries = ask(command, "--json").json["journal"]
        assert [entry["documents"] for entry in entries] == [1, 12, 12]
        assert "8KZTOKEN" not in json.dumps(entries)
    assert "ann: pause" in ask("status").out


@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        (["cancel", "--campaign", "spring"], "Cancel 12 documents that wait (campaign spring)?"),
        (["dead", "drop", "--all"], "Give up 2 dead documents (everything) for good?"),
        (["cancel", "--document-id", "c1"], "Cancel c1"),
    ],
)
def test_on_a_terminal_it_asks_first_and_no_means_no(
    arguments: list[str],
    question: str,
    ask: Call,
    filled: LedgerUnderTest,
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[str] = []
    before = filled.counts()

    def refuse(text: str) -> bool:
        asked.append(text)
        return False

    with monkeypatch.context() as patched:
        patched.setattr(screen, "is_there", lambda: True)
        patched.setattr(screen, "agrees", refuse)
        result = ask(*arguments)
        assert (result.code, result.out) == (130, "")
        assert question in asked[0]
        assert filled.counts() == before
        assert ask(*arguments, "--yes").code == 0
    assert len(asked) == 1
    assert filled.counts() != before


@pytest.mark.parametrize(
    "arguments", [["cancel", "--all"], ["cancel", "--document-id", "c1"], ["dead", "drop", "--all"]]
)
def test_where_nobody_can_be_asked_what_cannot_be_undone_wants_yes(
    arguments: list[str], ask: Call, filled: LedgerUnderTest
):
    before = filled.counts()
    result = ask(*arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "--yes" in result.err
    assert filled.counts() == before


def test_a_script_may_pipe_the_answer_to_the_question(
    filled: LedgerUnderTest, redis_url: str, tmp_path: Path
):
    def answered(answer: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "callspool", "cancel", "--all", "--redis", redis_url]
        result = subprocess.run(
            command, input=answer, capture_output=True, text=True, cwd=tmp_path, check=False
        )
        return result.returncode, result.stdout

    before = filled.counts()
    assert answered("crm-17\n") == (2, "")
    assert answered("n\n") == (130, "")
    assert filled.counts() == before
    assert answered("y\n")[0] == 0
    assert filled.counts()["waiting"] == 0


def test_a_question_is_asked_where_only_stdout_goes_elsewhere(
    filled: LedgerUnderTest, redis_url: str
):
    before = filled.counts()
    arguments = ["cancel", "--all", "--redis", redis_url]
    seen = on_a_terminal(arguments, b"n\n", pipes=("stdout",))
    assert (seen.code, seen.piped) == (130, "")
    assert "Cancel 47 documents" in seen.screen
    assert filled.counts() == before


def test_without_a_name_the_login_and_the_machine_are_told(
    call: Call,  # noqa: F811
    filled: LedgerUnderTest,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(steering_ledger.getpass, "getuser", lambda: "bea")
    monkeypatch.setattr(steering_ledger.socket, "gethostname", lambda: "desk")
    call("pause", "--all", "--redis", redis_url)
    assert "bea@desk: pause everything" in call("journal", "--redis", redis_url).out
