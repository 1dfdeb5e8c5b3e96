"""After the faults: waiting until everything is settled, and reading where everything is."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

from callspool.errors import QueueUnavailable
from callspool_ledger.reads.feed import decode_cursor, join_page, read_feed
from callspool_ledger.reads.lookup import read_statuses, read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from chaos.judging import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import redis

    from callspool.request.identity import Scope
    from callspool_ledger.reads.feed import FeedEvent
    from callspool_ledger.reads.views import DocumentStatus, LedgerSummary, Story
    from chaos.contacts import Key

LOOK = 0.25
DOUBTS_REST = 5.0
"""Seconds after which documents in doubt are final where nothing can be proven."""

HELD_REST = 170.0
"""The same where most can be: longer than the longest quiet period, and than the longest pause
between two looks at a space."""

_AT_ONCE = 5000


def wait_until_settled(
    client: redis.Redis,
    still_sending: Callable[[], bool],
    *,
    patience: float,
    doubts_rest: float,
    on_tick: Callable[[LedgerSummary], None],
) -> bool:
    """True once nothing waits, is sent, or is in doubt.

    ``doubts_rest``: seconds without any change after which what is in doubt stays so. False when
    nothing changed for ``patience`` seconds.
    """
    reader = LedgerReader(client)
    changed = time.monotonic()
    before: LedgerSummary | None = None
    while time.monotonic() - changed < patience:
        try:
            summary = reader.ask(read_summary())
        except QueueUnavailable:
            time.sleep(LOOK)
            continue
        on_tick(summary)
        if before is None or _figures(summary) != _figures(before):
            before, changed = summary, time.monotonic()
        quiet_for = time.monotonic() - changed
        if not still_sending() and _is_settled(summary, quiet_for, doubts_rest):
            return True
        time.sleep(LOOK)
    return False


def _figures(summary: LedgerSummary) -> tuple[object, ...]:
    return summary.documents, summary.submissions, summary.spooled


def _is_settled(summary: LedgerSummary, quiet_for: float, doubts_rest: float) -> bool:
    documents = summary.documents
    if summary.spooled or documents["waiting"] or documents["sending"]:
        return False
    return not documents["in_doubt"] or quiet_for >= doubts_rest


def read_found(client: redis.Redis, keys: Iterable[Key]) -> dict[Key, Found | None]:
    """Where every document is, from the ledger; None for those that it does not know."""
    reader = LedgerReader(client)
    in_scope: dict[Scope, list[Key]] = defaultdict(list)
    for key in keys:
        in_scope[key.scope].append(key)
    found: dict[Key, Found | None] = {}
    for scope, members in in_scope.items():
        for start in range(0, len(members), _AT_ONCE):
            some = members[start : start + _AT_ONCE]
            statuses = reader.ask(read_statuses(scope, [key.document_id for key in some]))
            found |= dict(zip(some, map(_found, statuses), strict=True))
    return found


def _found(status: DocumentStatus | None) -> Found | None:
    if status is None:
        return None
    settled, accepted = status.settled_at, status.accepted_at
    seconds = (settled - accepted).total_seconds() if settled and accepted else None
    return Found(status.state, status.run_id, seconds, status.reason, status.outcome)


def read_events(client: redis.Redis) -> Iterator[FeedEvent]:
    """The whole feed, as a reader gets it that goes on page by page."""
    reader, cursor = LedgerReader(client), ""
    while True:
        page = join_page(reader.ask(read_feed(decode_cursor(cursor, 1), 1000)), 1000)
        if not page.events:
            return
        yield from page.events
        cursor = page.cursor


def wait_until_calls_ended(client: redis.Redis, patience: float) -> bool:
    """True once no call is open; false when their number stays the same."""
    reader, before, changed = LedgerReader(client), -1, time.monotonic()
    while time.monotonic() - changed < patience:
        summary = reader.ask(read_summary())
        outcomes = summary.outcomes
        if min(outcomes.values()) < 0 or sum(outcomes.values()) != summary.documents["created"]:
            return False
        if not outcomes["open"]:
            return True
        if outcomes["open"] != before:
            before, changed = outcomes["open"], time.monotonic()
        time.sleep(LOOK)
    return False


def look_up_stories(client: redis.Redis, key: Key) -> Sequence[Story]:
    """What `callspool show` knows of a document."""
    return LedgerReader(client).ask(read_stories(key.document_id, *key.scope))
