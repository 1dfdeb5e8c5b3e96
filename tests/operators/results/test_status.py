"""`callspool status`, once and again and again, and `callspool show`."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callspool.request.identity import made_document_id
from callspool_ledger.reads import summary as ledger_reasons
from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_reasons
from callspool_operators.options import connection
from callspool_operators.terminal.screen import Rates, watch
from tests.operators.conftest import Call
from tests.support.ledgers import LedgerUnderTest, P, calls, group
from tests.support.servers import RedisServer

AGE = re.compile(r"\d+\.\d+( s)?")
"""Seconds that something waits, which go on from look to look."""

OFFSET = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+05:30")


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_status_says_why_documents_are_dead_or_in_doubt(
    spool: LedgerUnderTest, call: Call, redis_url: str
) -> None:
    lines = call("status", "--redis", redis_url).out.splitlines()
    assert lines[lines.index("1   in doubt") + 1] == "      1: timed out"
    assert lines[lines.index("1   dead") + 1] == "      1: =cmd: the API's words"
    assert call("status", "--redis", redis_url, "--json").json["reasons"] == [
        {"state": "in_doubt", "reason": "timed out", "documents": 1},
        {"state": "dead", "reason": "=cmd: the API's words", "documents": 1},
    ]


def test_reasons_are_looked_up_in_the_last_batches_only(
    spool: LedgerUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        spool.accept(group([f"more{number}"]))
    while taken := spool.ledger.take("me:1", ["default"]):
        why = f"refused for {taken.batch}"
        bury = calls.bury(taken, outcome="rejected", code="400", detail=why)
        spool.ledger.run([bury])
    monkeypatch.setattr(ledger_reasons, "MOST_BATCHES", 3)
    found = [
        each for each in LedgerReader(spool.client).ask(read_reasons()) if each.state == "dead"
    ]
    assert sum(each.documents for each in found) == 3


def test_a_story_in_doubt_says_whether_it_can_be_proven(
    spool: LedgerUnderTest, call: Call, redis_url: str
) -> None:
    assert "read its space back" in call("show", "lost", "--redis", redis_url).out
    batch = LedgerReader(spool.client).ask(read_stories("lost"))[0].batch
    spool.client.hset(f"{P}:b{batch}", "held", "the API refuses to be read")
    shown = call("show", "lost", "--redis", redis_url).out
    assert "(the API refuses to be read)" in shown
    assert "callspool doubts confirm --document-id lost" in shown
    assert "callspool doubts resend --document-id lost" in shown
    assert "1: the API refuses to be read" in call("status", "--redis", redis_url).out


def test_a_document_that_was_found_in_a_run_without_an_answer_says_so(
    spool: LedgerUnderTest, call: Call, redis_url: str
) -> None:
    """Its run may have broken off, and then nobody is called."""
    found = "in a run that the API never confirmed"
    story = LedgerReader(spool.client).ask(read_stories("lost"))[0]
    seal = spool.client.hget(f"{P}:b{story.batch}", "seal").decode()
    attempt = story.attempts[-1].number
    proven = calls.record_proven(
        story.batch, attempt, seal, run_id="R9", ids=["T9"], places="1", claim=False
    )
    assert spool.ledger.run([proven]) == [[1, 0]]
    assert found in call("show", "lost", "--redis", redis_url).out
    assert found not in call("show", "made", "--redis", redis_url).out


def test_the_small_client_finds_what_redis_py_finds(
    spool: LedgerUnderTest, call: Call, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["status", "lanes", "journal", "show made", "show lost", "show bad", "show none"]
    asked += ["events", "dead list", "report hours"]
    lines = [f"{one}{form} --redis {redis_url}" for one in asked for form in ("", " --json")]

    def ask_all() -> list[tuple[int, str, str]]:
        told = [call(*line.split()) for line in lines]
        return [(each.code, AGE.sub("", each.out), each.err) for each in told]

    small = ask_all()
    monkeypatch.setattr(connection, "names_nodes", lambda _: True)  # as for several servers
    monkeypatch.setattr(connection, "RespClient", None)
    assert ask_all() == small


@pytest.mark.usefixtures("in_kolkata")
def test_times_carry_the_users_offset_and_json_is_in_utc(
    spool: LedgerUnderTest, call: Call, redis_url: str
) -> None:
    where = ["--redis", redis_url]
    assert len(OFFSET.findall(call("show", "made", *where).out)) == 3
    assert OFFSET.search(call("status", "--watch", "--count", "1", *where).out)
    [story] = call("show", "made", *where, "--json").json["stories"]  # type: ignore[misc]
    assert datetime.fromisoformat(story["accepted_at"]).utcoffset() == datetime.now(UTC).utcoffset()


def test_a_watch_elsewhere_is_a_line_for_each_look(
    spool: LedgerUnderTest, call: Call, redis_url: str
) -> None:
    where = ["--redis", redis_url, "--watch", "--interval", "0.1", "--count", "3"]
    told = call("status", *where)
    assert told.code == 0
    assert told.out.count("4 accepted, 1 waiting, 1 in doubt, 1 created, 1 dead") == 3
    objects = [json.loads(line) for line in call("status", *where, "--json").out.splitlines()]
    assert [each["documents"]["accepted"] for each in objects] == [4, 4, 4]
    assert objects[0]["at"].endswith("Z")
    assert objects[2]["per_second"] == {"accepted": 0.0, "created": 0.0}


def test_rates_are_those_of_the_last_seconds() -> None:
    rates = Rates()
    assert rates.add(100, 0, 0) == (0, 0)
    assert rates.add(102, 20, 10) == (10, 5)
    assert rates.add(120, 20, 190) == (0, 10)
    assert rates.add(121, 0, 0) == (0, 0)


def test_a_watch_goes_on_while_redis_is_away_and_says_so(
    capsys: pytest.CaptureFixture[str], call: Call
) -> None:
    with RedisServer() as server:
        command = [sys.executable, "-m", "callspool", "status", "--redis", server.url]
        command += ["--watch", "--interval", "0.1", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "documents" in json.loads(process.stdout.readline())
            server.kill()
            while "error" not in (away := json.loads(process.stdout.readline())):
                pass
            assert "Redis" in away["error"]
            server.start()
            while "documents" not in json.loads(process.stdout.readline()):
                pass
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130


def test_a_terminal_gets_a_screen_and_has_it_back_afterwards(
    spool: LedgerUnderTest, redis_url: str
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "callspool", "status", "--redis", redis_url]
    command += ["--watch", "--interval", "0.1", "--count", "2"]
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": "", "COLUMNS": "40", "LINES": "12"}
    with subprocess.Popen(command, stdout=theirs, env=env) as process:
        os.close(theirs)
        text = ""
        while piece := _read(ours):
            text += piece
        assert process.wait(timeout=20) == 0
    os.close(ours)
    screens = text.split("\x1b[H")
    assert screens[0] == "\x1b[?1049h\x1b[?25l"
    assert len(screens) == 3
    assert "a second" in screens[1]
    assert "\x1b[32mcreated\x1b[0m" in screens[1]
    assert screens[2].count("\x1b[?25h\x1b[?1049l") == 1
    assert "4 accepted" in screens[2].partition("\x1b[?1049l")[2]


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode()
    except OSError:  # as Linux says that the other side is closed
        return ""


def test_an_interrupt_between_looks_ends_a_watch_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Quiet:
        accepted = created = 0

        def lines(self) -> list[str]:
            return []

        def line(self) -> str:
            return "nothing"

        def to_json(self) -> dict[str, object]:
            return {}

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert watch(Quiet, interval=1) == 130


def test_a_contact_without_id_is_found_by_its_number(
    spool: LedgerUnderTest, call: Call, redis_url: str, tmp_path: Path
) -> None:
    made = made_document_id("+14155550100")
    spool.accept(group([made]))
    where = ["--redis", redis_url]
    shown = call("show", "--number", "(415) 555-0100", "--region", "US", *where)
    assert shown.code == 0
    assert shown.out.startswith(f"{made}: waiting\n")
    assert "555" not in shown.out
    for wrong in (["--number", "12"], [], ["crm-1", "--number", "+14155550100"]):
        refused = call("show", *wrong, *where)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
