"""The feed over HTTP: a long poll, in which callers that wait for the same share one read."""

import asyncio
import math
from collections.abc import Callable
from datetime import datetime
from typing import Final

from callspool.aio import AsyncCallQueue
from callspool.settings import Settings
from callspool_ledger.access import AccessKey
from callspool_ledger.reads.feed import EventPage, FeedEvent
from callspool_operators.serving.admission import may_see
from callspool_operators.serving.documents import TIMEOUT
from callspool_operators.serving.problems import Problem

LONGEST_WAIT: Final = 30.0
MOST_EVENTS: Final = 1_000
MOST_READS: Final = 64
"""Reads of the feed that go on at a time; callers at the same cursor share one."""
LOOK_SECONDS: Final = 2.0
"""For how long an answer looks for events that the key may see, where it does not wait."""
SLICE: Final = 5.0
"""Seconds that one read waits for an event; then it is begun anew if a caller still waits."""


class FeedReader:
    """Reads the feed for the callers of one event loop; none of them holds a thread."""

    def __init__(self, settings: Settings) -> None:
        self._queue = AsyncCallQueue.from_settings(settings, timeout=TIMEOUT)
        self._reads: dict[tuple[str, int, bool], asyncio.Task[EventPage]] = {}
        self._is_ending = False

    async def read(
        self, cursor: str, concerns: Callable[[FeedEvent], bool], *, wait: float, limit: int
    ) -> EventPage:
        """Returns events behind a cursor that concern a caller, and the next cursor.

        Raises `Problem`, `CursorTooOld`, `InvalidCursor`, `QueueUnavailable`.
        """
        now = asyncio.get_running_loop().time
        until = now() + wait
        looked_until = max(until, now() + LOOK_SECONDS)
        while True:
            page = await self._read_shared(cursor, limit, max(0.0, until - now()))
            found = [event for event in page.events if concerns(event)]
            is_over = now() >= (looked_until if page.events else until)
            if found or is_over or self._is_ending:
                return EventPage(found, page.cursor)
            cursor = page.cursor

    async def _read_shared(self, cursor: str, limit: int, wait: float) -> EventPage:
        """Returns what one read found for all that are at this cursor; nothing after the wait."""
        what = (cursor, limit, wait > 0)
        read = self._reads.get(what)
        if read is None:
            if len(self._reads) >= MOST_READS:
                raise Problem("busy", "many wait for events: try again", retry_after=5)
            events = self._queue.events(cursor, wait=SLICE if wait > 0 else 0, limit=limit)
            read = self._reads[what] = asyncio.get_running_loop().create_task(events)
            read.add_done_callback(lambda done: self._forget(what, done))
        await asyncio.wait([read], timeout=wait or None)
        if not read.done() or read.cancelled():
            return EventPage([], cursor)
        return read.result()

    def _forget(self, what: tuple[str, int, bool], read: asyncio.Task[EventPage]) -> None:
        del self._reads[what]
        if not read.cancelled():
            read.exception()  # which the callers raise, if any is left

    def end_waits(self) -> None:
        """Lets every caller that waits have its answer now."""
        self._is_ending = True
        for read in self._reads.values():
            read.cancel()

    async def close(self) -> None:
        """Closes the connections."""
        self.end_waits()
        await self._queue.close()


def check_page(
    key: AccessKey, cursor: str, since: str | None, wait: float, limit: int
) -> datetime | None:
    """Returns since when events are asked for; raises `Problem` if a key has no such page."""
    if key.space_token is not None:
        raise Problem(
            "out-of-scope", f"the key {key.name} is bound to a space, and events do not name theirs"
        )
    if not 0 <= wait <= LONGEST_WAIT or math.isnan(wait):
        raise Problem("wrong-shape", f"wait: must be 0 to {LONGEST_WAIT:.0f} seconds")
    if not 1 <= limit <= MOST_EVENTS:
        raise Problem("wrong-shape", f"limit: must be 1 to {MOST_EVENTS:,} events")
    if since is None:
        return None
    try:
        begins = datetime.fromisoformat(since)
    except ValueError:
        begins = None
    if cursor or begins is None or begins.tzinfo is None:
        raise Problem("wrong-shape", "since: must be a time with its offset, without a cursor")
    return begins


def concerns_key(key: AccessKey, event: FeedEvent) -> bool:
    """Whether an event is of what a key is bound to."""
    return may_see(key, event.account, event.campaign or "")
