"""The thread that asks Redis for permits, and tells what came of those that were used."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from callspool_ledger.writes import LedgerUnavailable, account_calls
from callspool_worker.permits.permits import GRACE_MS, LEASE_MS, Permits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callspool.redis_io.scripts import Call
    from callspool_ledger.writes import Ledger

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
