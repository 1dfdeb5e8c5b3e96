"""`callspool show` of a document that several scopes have: its commands mean one of them."""

import json

import pytest

from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.reader import LedgerReader
from tests.operators.conftest import Call
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group

CAMPAIGNS = ("", "spring sale")


@pytest.fixture
def same_id(spool: LedgerUnderTest) -> LedgerUnderTest:
    """``twin`` is in doubt, and held, in two campaigns."""
    for number, campaign in enumerate(CAMPAIGNS):
        spool.accept(group(["twin"], LANE._replace(campaign=campaign)))
        while taken := spool.ledger.take(f"it:{number}", ["default"]):
            doubt = calls.doubt(
                taken, outcome="no_answer", code="", detail="timed out", proof=b"{}"
            )
            spool.ledger.run([doubt])
    for story in LedgerReader(spool.client).ask(read_stories("twin")):
        spool.client.hset(f"{P}:b{story.batch}", "held", "the API refuses to be read")
    return spool


def steps(call: Call, redis_url: str, *flags: str) -> list[str]:
    shown = json.loads(call("show", "twin", *flags, "--json", "--redis", redis_url).out)
    return [story["next_step"] for story in shown["stories"]]


def test_the_command_that_a_story_names_leaves_others_of_the_same_id_alone(
    same_id: LedgerUnderTest, call: Call, redis_url: str
) -> None:
    first, second = steps(call, redis_url)
    for verb in ("confirm", "resend"):
        assert f"`callspool doubts {verb} --document-id twin --campaign ''`" in first
        assert f"`callspool doubts {verb} --document-id twin --campaign 'spring sale'`" in second
    assert steps(call, redis_url, "--campaign", "spring sale") == [second]
    given = ("--document-id", "twin", "--campaign", "spring sale", "--yes", "--redis", redis_url)
    assert call("doubts", "confirm", *given).code == 0
    states = [story.state for story in LedgerReader(same_id.client).ask(read_stories("twin"))]
    assert states == ["in_doubt", "created"]
