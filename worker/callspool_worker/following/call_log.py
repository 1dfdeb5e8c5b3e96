"""The call log as a hint: a ring is over, so its batch is worth a look. It is never an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from callspool.request.identity import NUMBER_BYTES, number_digests
from callspool_ledger.reads.calls import read_open_calls
from callspool_ledger.writes.account_calls import LogTurn, hint_calls, read_log, read_log_turn
from callspool_worker.following.batch_look import read_seconds, read_time
from callspool_worker.proving.api_lists import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from callspool.redis_io.scripts import Call
    from callspool_ledger.writes import Ledger
    from callspool_worker.following.frontier import FollowTimes
    from callspool_worker.proving.api_lists import SpaceReader

LOG_PAGE = 500
"""Rings of one page: its rows are light."""

MOST_LOG_PAGES = 10
"""Pages of one read; what is behind them is found by following alone."""

OVERLAP_MS = 120_000
"""How much older than the newest row a row may be that comes late."""

TURN_MS = 120_000
"""Milliseconds after which another follower reads where one was killed amid it."""

AHEAD_MS = 366 * 86_400_000
"""How far ahead of now an end may lie: one later is nonsense, and would hide all that follow. A
sandbox may ring months ahead of the clock.
"""

MOST_BATCHES = 10_000
"""Batches with open calls of a space among which rings are looked for, the oldest."""

REFUSED_PAUSE, FAILED_PAUSE = 86_400.0, 600.0
"""Seconds until a log is asked for again that this account may not read, or that gave no answer."""


class LoggedRing(NamedTuple):
    """A ring that is over: digest of the number, and its end in ms by the API's clock."""

    number: bytes
    ended_ms: int


def read_ring(row: object) -> LoggedRing | None:
    """Returns the ring in a row of the log; None if it is not over, or a row says no number."""
    if not isinstance(row, dict):
        return None
    number = row.get("to_number") or row.get("contact_number")
    ended, started = read_time(row.get("end_time")), read_time(row.get("start_time"))
    if ended is None and started is not None and read_seconds(row.get("duration")):
        ended = started + read_seconds(row.get("duration"))
    if not isinstance(number, str | int) or isinstance(number, bool) or ended is None:
        return None
    (digest,) = number_digests([str(number)[:64]])
    return LoggedRing(digest, round(ended * 1000))


class CallLogs:
    """The call logs of accounts, which one follower of all reads at a time."""

    def __init__(
        self, ledgers: Sequence[Ledger], homes: Mapping[str, Ledger], times: FollowTimes
    ) -> None:
        self._ledgers = ledgers
        self._homes = homes
        self._times = times
        self._numbers: dict[tuple[int, str], dict[int, bytes]] = {}
        """Partition and account → batch → digests of its numbers."""
        self._late: dict[str, set[LoggedRing]] = {}
        """Account → rings of the last minutes that were read."""

    def read(self, account: str, follower: str, reader: SpaceReader, now_ms: int) -> bool:
        """Reads what is new, if it is time to, and notes whose rings these are.

        Tells whether the log is read these days. Raises `LedgerUnavailable`, and what the reads of
        a pass raise.
        """
        home = self._homes[account]
        turn = read_log_turn(home.run([read_log(account, follower, TURN_MS)])[0])
        if not turn.may_read:
            return turn.is_fresh
        try:
            rings = list(self._new_rings(account, turn, reader, now_ms + AHEAD_MS))
        except Unreadable as fault:
            pause = REFUSED_PAUSE if fault.refused else FAILED_PAUSE
            return self._end(account, follower, 0, pause)
        self._note(account, rings)
        newest = max((ring.ended_ms for ring in rings), default=turn.seen_ms)
        self._late[account] = {
            ring
            for ring in {*self._late.get(account, ()), *rings}
            if ring.ended_ms > newest - OVERLAP_MS
        }
        return self._end(account, follower, max(newest, 1), self._times.log)

    def _end(self, account: str, follower: str, newest_ms: int, pause: float) -> bool:
        step = read_log(account, follower, 0, newest_ms, round(pause * 1000))
        return read_log_turn(self._homes[account].run([step])[0]).is_fresh

    def _new_rings(
        self, account: str, turn: LogTurn, reader: SpaceReader, latest_ms: int
    ) -> Iterator[LoggedRing]:
        """Yields the rings that were not read before; of a first read those of one page."""
        late = self._late.get(account)
        since_ms = turn.seen_ms - OVERLAP_MS if late is not None else turn.seen_ms
        known = set(late or ())
        for number in range(1, MOST_LOG_PAGES + 1):
            page = reader.log_page(number, LOG_PAGE)
            read = map(read_ring, page.entries if page else [])
            rings = [ring for ring in read if ring and ring.ended_ms <= latest_ms]
            fresh = {ring for ring in rings if ring.ended_ms > since_ms} - known
            known |= fresh
            yield from fresh
            is_behind = any(ring.ended_ms <= turn.seen_ms - OVERLAP_MS for ring in rings)
            if is_behind or not fresh or turn.seen_ms <= 1:
                return

    def _note(self, account: str, rings: Sequence[LoggedRing]) -> None:
        """Notes rings with the batches of their numbers, in every space of the account."""
        ended: dict[bytes, list[int]] = {}
        for ring in rings:
            ended.setdefault(ring.number, []).append(ring.ended_ms)
        newest = max((ring.ended_ms for ring in rings), default=0)
        for ledger in self._ledgers if ended else ():
            known = self._numbers.get((ledger.partition, account), {})
            spaces = ledger.read(read_open_calls(account, MOST_BATCHES, known))
            self._numbers[ledger.partition, account] = {
                batch: digests for numbers in spaces.values() for batch, digests in numbers.items()
            }
            for space, numbers in spaces.items():
                steps = [
                    self._hint(ledger, space, batch, hits, newest)
                    for batch, digests in numbers.items()
                    if (hits := find_rings(digests, ended))
                ]
                if steps:
                    ledger.run(steps)

    def _hint(
        self, ledger: Ledger, space: str, batch: int, hits: Sequence[tuple[int, int]], newest: int
    ) -> Call:
        first = min(ended for _, ended in hits)
        places = [place for place, _ in hits]
        patience_ms = round(self._times.patience * 1000)
        prefix = ledger.keys.prefix
        return hint_calls(prefix, space, batch, patience_ms, newest - first, places)


def find_rings(digests: bytes, ended: Mapping[bytes, Sequence[int]]) -> list[tuple[int, int]]:
    """Returns place and end of each of these rings in a batch with numbers of these digests."""
    return [
        (at // NUMBER_BYTES, moment)
        for at in range(0, len(digests), NUMBER_BYTES)
        for moment in ended.get(digests[at : at + NUMBER_BYTES], ())
    ]
