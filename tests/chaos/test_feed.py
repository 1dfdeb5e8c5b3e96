"""What chaos holds against the feed, with events made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callspool.request.identity import Scope
from callspool_ledger.reads.feed import EventType, FeedEvent
from chaos.contacts import Key
from chaos.feed import judge_feed
from chaos.judging import Found

KEY = Key(Scope("default", "SPACE", ""), "crm-1")
CREATED = Found("created", "R1", outcome="reached")


def event(kind: EventType, number: int, outcome: str | None = None) -> FeedEvent:
    return FeedEvent(
        id=f"0-{number}-0-0",
        time=datetime.fromtimestamp(number, UTC),
        type=kind,
        account="default",
        campaign=None,
        document_id="crm-1",
        run_id=None,
        task_id=None,
        outcome=outcome,
        reason=None,
    )


def problems(found: Found, *events: FeedEvent) -> list[str]:
    return judge_feed({KEY: found}, events, may_repeat=False).problems


ENDED = event("ended", 2, "reached")


def test_a_call_that_was_told_from_creation_to_end_is_well():
    assert problems(CREATED, event("created", 1), ENDED) == []
    assert problems(Found("dead"), event("dead", 1)) == []
    again = [event("created", 1), event("held", 2), event("created", 3)]
    assert problems(CREATED._replace(outcome="open"), *again) == []


@pytest.mark.parametrize(
    ("found", "events", "told"),
    [
        (CREATED, [], "documents that are created and not told so last"),
        (CREATED, [event("created", 1)], "calls that ended without an event"),
        (CREATED, [event("created", 1), event("ended", 2, "failed")], "with another outcome"),
        (CREATED, [ENDED, event("created", 3)], "events of calls before their creation"),
        (CREATED, [event("created", 1), event("created", 3), ENDED], "documents created twice"),
        (Found("dead"), [event("created", 1)], "documents that are dead and not told so last"),
        (Found("dead"), [event("dead", 1), event("dead", 1)], "ids that come twice"),
    ],
)
def test_what_is_missing_or_wrong_is_named(found: Found, events: list[FeedEvent], told: str):
    assert any(told in problem for problem in problems(found, *events))


def test_an_event_of_nobody_is_named():
    assert "never enqueued" in judge_feed({}, [ENDED], may_repeat=False).problems[0]
