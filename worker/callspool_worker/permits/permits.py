"""The permits of one process, for all its accounts, and the thread that asks Redis for them."""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec

from callspool_ledger.writes import LedgerUnavailable, account_calls
from callspool_ledger.writes.account_calls import Change
from callspool_worker.permits.account import FRESH, AccountPermits
from callspool_worker.permits.limiter import GRACE, INITIAL, MOST, LimitState, Window, adjust, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from callspool.redis_io.scripts import Call
    from callspool_ledger.writes import Ledger
    from callspool_ledger.writes.account_calls import Ask, Grant
    from callspool_worker.permits.account import Feedback


class Permits:
    """Which accounts may send now, as far as this process was told.

    ``rates``: the accounts, and requests a second of each (0: any number). ``caps``: requests in
    flight that each may have at most, where the settings say so. ``clock``: seconds, and it counts
    suspension.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        caps: Mapping[str, int],
        *,
        holder: str,
        clock: Callable[[], float],
    ) -> None:
        self.rates = rates
        self._caps = caps
        self._holder = holder
        self._clock = clock
        self._accounts = {name: AccountPermits(name, rate > 0) for name, rate in rates.items()}
        self.changed = threading.Condition()
        self.most = 1
        """Threads that may send, by what this process can do."""
        self.working = 0
        """Threads that send."""

    def first(self, account: str) -> int:
        """Requests in flight that an account begins with."""
        return self._caps.get(account, INITIAL)

    def cap(self, account: str) -> int:
        """Requests in flight that an account may have at most."""
        return self._caps.get(account, MOST)

    def expect(self) -> None:
        """Takes note that something may be ready to be sent, for whichever account."""
        with self.changed:
            now = self._clock()
            for account in self._accounts.values():
                account.expects(now, self.most)
            self.changed.notify_all()

    def reserve(self, *, only_if_hopeful: bool = False) -> tuple[str, ...]:
        """Returns a permit of each account that has one free; to be kept or given back by `keep`.

        ``only_if_hopeful``: none at all unless something may be ready for one of them.
        """
        with self.changed:
            if self.working > self.most and not only_if_hopeful:
                return ()
            now = self._clock()
            free = [each for each in self._accounts.values() if each.may_begin(now)]
            hopeful = [each for each in free if each.hope]
            if only_if_hopeful and not hopeful:
                return ()
            for account in hopeful:
                account.hope -= 1
            for account in free:
                account.take()
            return tuple(account.name for account in free)

    def keep(self, reserved: Iterable[str], used: str | None, *, looked: bool = True) -> None:
        """Gives back all permits but that of the account that a batch was found for.

        ``looked``: whether a thread looked for one at all.
        """
        with self.changed:
            for name in reserved:
                account = self._accounts[name]
                if name == used:
                    account.hope = max(account.hope, min(account.busy, self.most))
                    continue
                account.give_back()
                if looked and used is None:
                    account.hope = 0

    def began(self, name: str) -> tuple[float, int]:
        """Returns what `ended` wants to know of a request that is about to be sent."""
        return self._clock(), self._accounts[name].cuts

    def note_end(self, name: str, told: Feedback, began: tuple[float, int]) -> float:
        """Notes the end of a request; returns the seconds for which its account rests."""
        begun, cuts = began
        with self.changed:
            account = self._accounts[name]
            rest = account.note_end(told, begun, cuts, self._clock())
            if account.is_urgent:
                self.changed.notify_all()
            return rest

    def gave_back(self, name: str) -> None:
        """Takes note that the batch was given back without a request."""
        with self.changed:
            self._accounts[name].give_back()

    def limits(self) -> dict[str, float]:
        """Returns account → its limit, over all workers, as this process was told last."""
        with self.changed:
            known = self._accounts.values()
            return {each.name: float(each.limit) for each in known if each.limit}

    def slowest(self) -> float:
        """Returns the longest mean response time of an account, in seconds."""
        return max((account.seconds for account in self._accounts.values()), default=0.0)

    def due(self) -> list[tuple[str, Ask]]:
        """Returns what to ask now."""
        with self.changed:
            now = self._clock()
            room = max(0, self.most - self.working)
            return [
                (account.name, account.ask(self._holder, room, now))
                for account in self._accounts.values()
                if account.is_due(now)
            ]

    def wait_until_due(self, longest: float) -> None:
        """Waits until something is to be asked, ``longest`` seconds at most."""
        with self.changed:
            left = min(account.due_at() for account in self._accounts.values()) - self._clock()
            if left > 0:
                self.changed.wait(min(left, longest))

    def got(self, name: str, grant: Grant) -> None:
        """Takes in the answer to an ask; what changes because of it is reported with the next."""
        with self.changed:
            account = self._accounts[name]
            account.got(grant, self._clock())
            standing = _standing(grant.state, self.first(name))
            account.seconds = standing.mean
            if grant.past is not None:
                account.change = _change(standing, grant, self.cap(name))

    def was_not_heard(self, asks: Sequence[tuple[str, Ask]]) -> None:
        """Takes note that these asks did not reach Redis."""
        with self.changed:
            for name, ask in asks:
                self._accounts[name].was_not_heard(ask)


def _standing(state: str, first: int) -> LimitState:
    return msgspec.json.decode(state, type=LimitState) if state else LimitState(limit=first)


def _change(standing: LimitState, grant: Grant, most: int) -> Change | None:
    past = grant.past
    assert past is not None
    mean = past.ms / past.n / 1000 if past.n else 0.0
    window = Window(past.n, mean, past.refused, past.peak, past.rest / 1000)
    after = adjust(standing, window, grant.at_ms / 1000, most)
    if after is standing:
        return None
    state = msgspec.json.encode(asdict(after)).decode()
    cuts = grant.cuts + (after.limit < standing.limit or past.refused > 0)
    return Change(grant.version, after.limit, int(pause(after) * 1000), cuts, state)


GRACE_MS = int(GRACE * 1000)
LEASE_MS = int(2 * FRESH * 1000)
"""Milliseconds after which the permits of a process that does not ask any more are free."""


LONGEST_WAIT = 1.0
AFTER_FAILURE = 0.2
"""Seconds."""

_log = logging.getLogger(__name__)


class PermitClient(threading.Thread):
    """``arrived`` is called after each answer: there may be permits.

    ``ledgers``: where each account is asked for; those of the same one in one round trip.
    """

    def __init__(
        self,
        ledgers: Mapping[str, Ledger],
        permits: Permits,
        holder: str,
        arrived: Callable[[], None],
    ) -> None:
        super().__init__(name="permits", daemon=True)
        self._ledgers = ledgers
        self._permits = permits
        self._holder = holder
        self._arrived = arrived
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ends the thread and gives all permits back."""
        self._stopped.set()
        with self._permits.changed:
            self._permits.changed.notify_all()
        self.join()
        try:
            give_up(self._ledgers, self._holder)
        except LedgerUnavailable as error:
            _log.info("permits lapse by themselves: %s", error)

    def run(self) -> None:
        while not self._stopped.is_set():
            self._permits.wait_until_due(LONGEST_WAIT)
            try:
                self.ask()
            except Exception:  # noqa: BLE001 - without this thread nothing is ever sent
                _log.exception("asking for permits failed; it goes on in %s s", AFTER_FAILURE)
                self._stopped.wait(AFTER_FAILURE)

    def ask(self) -> None:
        """Asks for all accounts that are due, in one round trip to each server."""
        together: dict[int, list[tuple[str, account_calls.Ask]]] = {}
        for name, ask in self._permits.due():
            together.setdefault(id(self._ledgers[name]), []).append((name, ask))
        for asks in together.values():
            self._ask(self._ledgers[asks[0][0]], asks)

    def _ask(self, ledger: Ledger, asks: list[tuple[str, account_calls.Ask]]) -> None:
        try:
            replies = ledger.run([self._call(name, ask) for name, ask in asks])
        except LedgerUnavailable:
            self._permits.was_not_heard(asks)
            self._stopped.wait(AFTER_FAILURE)
            return
        for (name, _), reply in zip(asks, replies, strict=True):
            self._permits.got(name, account_calls.read_grant(reply))
        self._arrived()

    def _call(self, name: str, ask: account_calls.Ask) -> Call:
        permits = self._permits
        return account_calls.permits(
            name,
            ask,
            lease_ms=LEASE_MS,
            first=permits.first(name),
            most=permits.cap(name),
            rate=permits.rates[name],
            grace_ms=GRACE_MS,
        )


def give_up(ledgers: Mapping[str, Ledger], holder: str) -> None:
    """Frees the permits of a process that has ended."""
    for name, ledger in ledgers.items():
        ledger.run([account_calls.give_up_permits(name, holder)])
