"""Sweeping: what is due is woken, what nobody will report any more is put in doubt."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from callspool_ledger.guard import CallsRecovery
from callspool_ledger.writes import LedgerUnavailable
from callspool_worker import events
from callspool_worker.decisions.leases import LeaseWatch
from callspool_worker.events.event import emit, emit_after

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from callspool.redis_io.scripts import Reply
    from callspool_ledger.guard import Guard
    from callspool_ledger.writes import Ledger


LONGEST_PAUSE = 0.1
"""Seconds between two looks at what is due, at most."""

IDLE_PAUSE = 1.0
"""The same for one of several partitions, while this process does nothing in it."""

PATROL = 1.0
"""Seconds between two looks at the leases and at what may be forgotten."""

TRIM = 10.0
"""Seconds between two looks at the size of the feed."""

PIECES_A_PATROL = 10
"""Pieces that are forgotten at once: some milliseconds of Redis each."""

ACCOUNTS_WARNED = 100
"""Accounts without settings that a process warns of: a producer may name as many as it likes."""

FORGETTING = (b"moved", b"dropping")
"""What `forget` answers while there may be more to do."""


class Sweeper(threading.Thread):
    """Every worker process sweeps every partition; there is no leader.

    ``dedupe_window`` in seconds. ``told``: the accounts that were warned of, for all partitions.
    """

    def __init__(
        self,
        ledger: Ledger,
        lease: float,
        dedupe_window: float,
        *,
        accounts: Collection[str],
        told: set[str] | None = None,
        may_idle: bool = False,
        guard: Guard | None = None,
        recovery: CallsRecovery | None = None,
    ) -> None:
        super().__init__(name=f"sweeper-{ledger.partition}", daemon=True)
        self._known = frozenset(accounts)
        self._told = set() if told is None else told
        self._ledger = ledger
        self._watch = LeaseWatch(lease)
        self._window_ms = int(dedupe_window * 1000)
        self._may_idle = may_idle
        self._guard = guard
        self._recovery = recovery
        self._nudged = threading.Event()
        self._stopped = threading.Event()
        self._next_patrol = self._next_trim = 0.0
        self._accounts = 0
        self._finished_at = self._well_at = time.monotonic()

    def ages(self) -> tuple[float, float]:
        """Seconds since the last finished sweep; and since the last one that ended in good order,
        or because Redis did not answer."""
        now = time.monotonic()
        return now - self._finished_at, now - self._well_at

    def stop(self) -> None:
        """Ends the thread after what it is doing."""
        self._stopped.set()
        self._nudged.set()
        self.join()

    def nudge(self) -> None:
        """Ends a long pause: this process changed something, which may be due soon."""
        self._nudged.set()

    def run(self) -> None:
        """Sweeps until it is stopped; Redis being away changes nothing but the pause."""
        pause = 0.0
        while not self._wait(pause):
            try:
                pause = self._sweep()
                self._patrol()
                self._finished_at = self._well_at = time.monotonic()
            except LedgerUnavailable:
                pause = LONGEST_PAUSE * 5
                self._well_at = time.monotonic()
                self._watch.look_away()
            except Exception as error:  # noqa: BLE001 - every wait ends here, so this must not
                emit(events.StepFailed(part="the sweep", pause=PATROL), error=error)
                pause = PATROL

    def _wait(self, pause: float) -> bool:
        """Waits; whether this is the end."""
        if not self._may_idle:
            return self._stopped.wait(pause)
        shortest = min(pause, LONGEST_PAUSE)
        if self._stopped.wait(shortest):
            return True
        self._nudged.wait(pause - shortest)
        self._nudged.clear()
        return self._stopped.is_set()

    def _sweep(self) -> float:
        """Wakes what is due; seconds until the next is."""
        step = self._ledger.calls.sweep(self._ledger.limits, self._known)
        (reply,) = self._ledger.run([step])
        next_ms = reply[0] if isinstance(reply, list) else -1
        longest = IDLE_PAUSE if self._may_idle else LONGEST_PAUSE
        return longest if next_ms < 0 else min(longest, max(next_ms, 1) / 1000)

    def _patrol(self) -> None:
        now = time.monotonic()
        if now < self._next_patrol:
            return
        self._next_patrol = now + PATROL
        if opened := self._ledger.report():
            emit(events.NothingForgotten(spaces=opened, partition=self._ledger.partition))
        for taker, held in self._watch.overdue(self._ledger.sending(), now, self._ledger.leases):
            lapse(self._ledger, taker, held, "the worker did not report in time")
        self._warn_of_unknown_accounts()
        if self._guard is not None:
            self._guard.keep_asked(self._ledger)
        if self._recovery is not None:
            self._recovery.look()
        self._forget()
        self._trim_feed(now)

    def _trim_feed(self, now: float) -> None:
        """Drops what the feed need not keep any more, now and then."""
        if now < self._next_trim:
            return
        self._next_trim = now + TRIM
        for _ in range(PIECES_A_PATROL):
            (more,) = self._ledger.run([self._ledger.calls.trim_feed(self._ledger.limits)])
            if not more or self._stopped.is_set():
                return

    def _forget(self) -> None:
        """Forgets faster than documents can come, so that memory does not grow with them."""
        for _ in range(PIECES_A_PATROL):
            step = self._ledger.calls.forget(self._window_ms)
            (word,) = self._ledger.run([step])
            if word not in FORGETTING or self._stopped.is_set():
                return

    def _warn_of_unknown_accounts(self) -> None:
        number = self._ledger.count_accounts()
        if number == self._accounts:
            return
        self._accounts = number
        strange = sorted(self._ledger.accounts() - self._known - self._told)
        for name in strange[: max(0, ACCOUNTS_WARNED - len(self._told))]:
            self._told.add(name)
            emit(events.AccountNotConfigured(account=name))


class Sweepers:
    """A sweeper for each partition: a node that is away holds up nobody else's."""

    def __init__(
        self,
        ledgers: Sequence[Ledger],
        lease: float,
        dedupe_window: float,
        *,
        accounts: Collection[str],
        guard: Guard | None = None,
    ) -> None:
        told: set[str] = set()
        recovery = None if guard is None else CallsRecovery(guard, ledgers)
        self._sweepers = [
            Sweeper(
                ledger,
                lease,
                dedupe_window,
                accounts=accounts,
                told=told,
                may_idle=len(ledgers) > 1,
                guard=guard,
                recovery=recovery if ledger is ledgers[0] else None,
            )
            for ledger in ledgers
        ]

    def nudge(self, partition: int) -> None:
        """Reports that this process changed something in a partition."""
        self._sweepers[partition].nudge()

    def start(self) -> None:
        """Starts the threads."""
        for sweeper in self._sweepers:
            sweeper.start()

    def stop(self) -> None:
        """Ends the threads after what they are doing."""
        for sweeper in self._sweepers:
            sweeper.stop()

    def ages(self) -> tuple[float, float]:
        """As `Sweeper.ages`, of the one that is behind the most."""
        finished, well = zip(*(sweeper.ages() for sweeper in self._sweepers), strict=True)
        return max(finished), max(well)


def lapse(ledger: Ledger, taker: str, held: str, detail: str) -> None:
    """Puts in doubt what a taker held when it fell silent."""
    step = ledger.calls.lapse(taker, held, detail)
    ledger.run([emit_after(step, partial(_lapsed_event, held, detail))])


def _lapsed_event(held: str, detail: str, reply: Reply) -> events.Lapsed | None:
    if not isinstance(reply, list) or not reply:
        return None
    batch, _, attempt = held.partition(":")
    documents, created, account, lane = reply
    return events.Lapsed(
        batch=int(batch),
        attempt=int(attempt),
        account=account.decode(),
        lane=lane.decode(),
        documents=documents,
        created=created,
        why=detail,
    )


def reopen(ledger: Ledger, gate: str) -> None:
    """Lets everything behind a gate be sent again, a bounded number of lanes at a time."""
    while ledger.run([ledger.calls.open_gate(gate)])[0]:
        pass


def lapse_all(ledger: Ledger, detail: str, incarnation: str = "") -> None:
    """Puts in doubt what certainly dead takers held: all, or those of one dead process."""
    for taker, held in ledger.sending().items():
        if not incarnation or taker.startswith(f"{incarnation}:"):
            lapse(ledger, taker, held, detail)
