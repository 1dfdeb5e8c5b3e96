"""Calls that count for caps and that Redis may forget: they are kept for a while, and counted anew.

When a replica is promoted, or a restart lost the last writes, the guard clears nothing that has a
cap until every call that is known is counted once more: those that processes reserved lately, and
those of documents in doubt. What the API shows of forgotten takes counts when its space is read
back.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from callspool_ledger.guard.numbers import DIGEST_BYTES
from callspool_ledger.keys import attempt_word
from callspool_ledger.reads.doubts import read_doubtful
from callspool_ledger.reads.gates import UNREAD, read_gates
from callspool_ledger.reads.lanes import read_lane_scopes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool_ledger.guard.guard import Guard
    from callspool_ledger.writes import Ledger

REPORTS_MS = 3000
"""Milliseconds for which every process may still count what it reserved."""

_BATCHES_READ = 50


class CallsAsked(NamedTuple):
    """Calls that an attempt is to make: they are counted before they are sent.

    ``token`` names the attempt. ``missed``: tokens, a space behind each, of earlier ones that
    provably called none of these documents. ``settled``: tokens whose calls were made.
    ``lease_ms``: how long the attempt may take to make them. ``cleared_by``: a version of the lists
    that says that these documents may be called.
    """

    account: str
    campaign: str
    token: str
    missed: str = ""
    settled: Sequence[str] = ()
    lease_ms: int = 0
    cleared_by: str = ""


RECENT_SECONDS, RECENT_NUMBERS = 60.0, 200_000
"""For how long a process keeps calls that it reserved, and how many of them at most."""


class CallsKnown(NamedTuple):
    """Whether Redis knows all calls that count.

    ``epoch``: how often it may have forgotten some. ``for_ms``: since how many milliseconds they
    are to be counted anew, -1 if all are known. ``now_ms``: Redis' time.
    """

    epoch: int
    for_ms: int
    now_ms: int


class _KeptCalls(NamedTuple):
    asked: CallsAsked
    digests: bytes
    at: float


class RecentCalls:
    """The calls that this process reserved lately. Safe among threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, _KeptCalls] = {}
        self._bytes = 0

    def keep(self, asked: CallsAsked, digests: bytes) -> None:
        """Keeps what an attempt reserved, and lets the oldest go."""
        now = self._clock()
        with self._lock:
            self._drop(asked.token)
            self._kept[asked.token] = _KeptCalls(asked, digests, now)
            self._bytes += len(digests)
            while (
                self._bytes > RECENT_NUMBERS * DIGEST_BYTES or self._first.at < now - RECENT_SECONDS
            ):
                self._drop(next(iter(self._kept)))

    def drop(self, token: str) -> None:
        """Forgets an attempt that made no call."""
        with self._lock:
            self._drop(token)

    def take(self) -> list[tuple[CallsAsked, bytes, float]]:
        """Returns all, each with its age in seconds."""
        with self._lock:
            now = self._clock()
            return [(each.asked, each.digests, now - each.at) for each in self._kept.values()]

    @property
    def _first(self) -> _KeptCalls:
        return next(iter(self._kept.values()))

    def _drop(self, token: str) -> None:
        found = self._kept.pop(token, None)
        if found is not None:
            self._bytes -= len(found.digests)


class CallsRecovery:
    """Counts anew what Redis may have forgotten, after each of its restarts.

    ``ledgers``: of all partitions.
    """

    def __init__(self, guard: Guard, ledgers: Sequence[Ledger]) -> None:
        self._guard = guard
        self._ledgers = ledgers
        self._epoch = -1
        self._counted: set[str] = set()
        self._awaited: list[set[tuple[str, str]]] = []

    def look(self) -> bool:
        """Counts what this process knows where it has to; returns whether the guard is sure."""
        if not self._guard.is_used:
            return True
        known = self._guard.recover()
        if known.epoch != self._epoch:
            self._epoch, self._counted = known.epoch, set()
            self._awaited = []
        if known.for_ms < 0:
            self._awaited = []
            return True
        self._count_recent(known)
        if not self._awaited:
            self._awaited = [{*ledger.sending().items()} for ledger in self._ledgers]
        if known.for_ms < REPORTS_MS or not self._is_all_read_back():
            return False
        for ledger in self._ledgers:
            self._count_doubts(ledger)
        self._count_recent(known)
        return self._guard.recover(str(known.epoch)).for_ms < 0

    def _count_recent(self, known: CallsKnown) -> None:
        for asked, digests, age in self._guard.recent.take():
            if asked.token not in self._counted:
                self._guard.count(asked, (), digests, int(known.now_ms - age * 1000))
                self._counted.add(asked.token)

    def _is_all_read_back(self) -> bool:
        """Whether no take from before is under way, and no space waits to be read back."""
        for ledger, awaited in zip(self._ledgers, self._awaited, strict=True):
            ledger.report()  # it notices that its own Redis restarted
            awaited &= {*ledger.sending().items()}
            gates = ledger.read(read_gates())
            if awaited or any(gate.name.startswith(UNREAD) for gate in gates):
                return False
        return True

    def _count_doubts(self, ledger: Ledger) -> None:
        numbers = ledger.read(read_doubtful())
        for at in range(0, len(numbers), _BATCHES_READ):
            found = ledger.batches(numbers[at : at + _BATCHES_READ])
            lanes = ledger.read(read_lane_scopes(sorted({one.lane for one, _ in found.values()})))
            for entry, documents in found.values():
                pairs = zip(entry.states, documents, strict=False)
                doubtful = [document for letter, document in pairs if letter == "d"]
                account, _, campaign = lanes.get(entry.lane, (entry.account, "", ""))
                token = attempt_word(ledger.id, entry.attempt)
                made = CallsAsked(account, campaign, token)
                if doubtful:
                    self._guard.count(made, doubtful, at_ms=entry.taken_ms)
