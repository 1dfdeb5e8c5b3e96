"""What became of calls stands in lists, stories and reports, and lists can be cut down to it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import redis

from callspool_ledger.reads.views import CallRecord
from callspool_ledger.writes.follow_calls import pass_of
from tests.operators.conftest import Call
from tests.operators.results.conftest import SPACE, GiveBack
from tests.support.ledgers import LedgerUnderTest, P, calls, group

ENDED = CallRecord("no-answer", "customer-did-not-answer", 3, 1_764_578_848, 1_764_578_890, 42)
LIST = "id,name,phone\nmade,Ada,+14155550100\nbusy,Bob,+14155550101\nbusy,Bob,+14155550101\n"


@pytest.fixture
def followed(spool: LedgerUnderTest) -> LedgerUnderTest:
    """``busy`` is created beside ``made``, and its call ended."""
    spool.accept(group(["busy"]))
    while (taken := spool.ledger.take("me:1", ["default"])) is not None:
        step = calls.record_created(taken, f"R{taken.attempt}", [f"T{taken.batch:032x}"], "200")
        spool.ledger.run([step])
        last = taken.batch
    spool.client.zadd(f"{P}:proofs", {"default|SPACE": 9e12})
    spool.client.zadd(f"{P}:follows", {"default|SPACE": 0})
    (reply,) = spool.ledger.run([calls.follow("me:follow", 60_000, ["default"])])
    found = pass_of(reply)
    assert found is not None
    news = {0: ("not_reached", ENDED)}
    step = calls.record_calls("me:follow", found.key, last, memory="", again_ms=None, news=news)
    spool.ledger.run([step])
    return spool


@pytest.mark.usefixtures("followed")
def test_a_list_comes_back_with_what_became_of_the_calls(give_back: GiveBack, tmp_path: Path):
    file = tmp_path / "list.csv"
    file.write_text(LIST)
    result, rows = give_back(file)
    assert [row["outcome"] for row in rows] == ["open", "not_reached", "not_reached"]
    told = [rows[1][name] for name in ("call_status", "end_reason", "duration", "rings")]
    assert told == ["no-answer", "customer-did-not-answer", "42", "3"]
    assert rows[1]["started_at"] < rows[1]["ended_at"]
    assert rows[0]["call_status"] == rows[0]["rings"] == ""
    assert "calls: 1 open, 1 not reached" in result.out


@pytest.mark.usefixtures("followed")
def test_an_outcome_picks_the_contacts_to_call_again_each_once(
    give_back: GiveBack, call: Call, tmp_path: Path
):
    file = tmp_path / "list.csv"
    file.write_text(f"{LIST}9,Zed,+14155550109\n")
    result, rows = give_back(file, "--outcome", "not_reached", "--outcome", "failed")
    assert (result.code, give_back(file)[0].code) == (0, 1)
    assert "\n1 row written to " in result.out
    assert "Answers of --campaign second\n" in give_back(file, "--campaign", "second")[0].out
    give_back(file, "--outcome", "not_reached")
    assert [row["name"] for row in rows] == ["Bob"]
    again = call(
        "send", tmp_path / "out.csv", "--dry-run", "--json", "--campaign", "second", *SPACE
    )
    assert msgspec.json.decode(again.out)["documents"]["invalid"] == 0


@pytest.mark.usefixtures("followed")
def test_the_story_and_the_status_tell_of_the_call(call: Call, redis_url: str):
    story = call("show", "busy", "--redis", redis_url)
    assert "call      not reached (no-answer, customer-did-not-answer), rang 3 times" in story.out
    assert "next: Its call is over." in story.out
    told = msgspec.json.decode(call("show", "busy", "--json", "--redis", redis_url).out)
    assert told["stories"][0]["outcome"] == "not_reached"
    assert told["stories"][0]["call"]["rings"] == 3
    assert "workers look what became of its call" in call("show", "made", "--redis", redis_url).out
    status = call("status", "--redis", redis_url)
    assert "calls: 2 open, 1 not reached" in status.out
    counted = msgspec.json.decode(call("status", "--json", "--redis", redis_url).out)
    assert sum(counted["outcomes"].values()) == counted["documents"]["created"]


@pytest.mark.parametrize(
    ("account", "words"),
    [("sandbox", "the sandbox of a rehearsal"), ("other", "not configured (other)")],
)
def test_calls_that_nobody_can_follow_are_not_waited_for(
    call: Call,
    followed: LedgerUnderTest,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    account: str,
    words: str,
):
    monkeypatch.setenv("CALLSPOOL_API_TOKEN", "token-of-nobody")
    monkeypatch.setenv("CALLSPOOL_ORG_HANDLE", "unpod.tv")
    followed.client.delete(f"{P}:follows")
    followed.client.zadd(f"{P}:follows", {f"{account}|SPACE": 9e15})
    found = call("follow", "--until-done", "--redis", redis_url)
    assert (found.code, found.out) == (2, "")
    assert words in found.err


def test_there_is_nothing_to_follow_where_nothing_was_created(
    call: Call, client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    LedgerUnderTest(client)
    monkeypatch.setenv("CALLSPOOL_API_TOKEN", "token-of-nobody")
    monkeypatch.setenv("CALLSPOOL_ORG_HANDLE", "unpod.tv")
    found = call("follow", "--until-done", "--redis", redis_url)
    assert (found.code, found.out) == (0, "Nothing was created here yet.\n")
