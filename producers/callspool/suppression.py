"""`SuppressionLists`: a backend service says which numbers must not be called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool.enqueue.receipts import DEFAULT_TIMEOUT, DEFAULT_URL
from callspool.errors import SettingsError
from callspool.redis_io.servers import server_of
from callspool.request.call_request import is_region
from callspool_ledger.guard import Suppression, list_name
from callspool_ledger.keys import prefix
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.servers import connect_partitions
from callspool_ledger.reads.summary import read_partitions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from typing import Self

    import redis

    from callspool_ledger.guard import AddedNumbers, ListSource, ListView


class SuppressionLists:
    """Puts numbers on lists, takes them off, and tells which must not be called.

    ``url_or_client`` as of `CallQueue`. ``by``: who asks, for the journal. ``region``: of numbers
    without a country code (``IN``); without it, such a number is listed as ``+`` and its digits and
    as an Indian one, which need not be the number that is meant. ``wait``: seconds for which `add`
    waits, at most, for create-calls under way that hold its numbers. It connects with the first
    call, and belongs to one thread. Raises `SettingsError` for an argument that cannot be used;
    every method raises `QueueUnavailable` when Redis does not answer: to ask for the same again is
    safe.
    """

    def __init__(
        self,
        url_or_client: str | redis.Redis = DEFAULT_URL,
        *,
        by: str = "a service",
        region: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        wait: float = 10.0,
    ) -> None:
        if region is not None and not is_region(region):
            raise SettingsError(f"region {region!r} is not one such as IN, US or GB")
        self._server = server_of(url_or_client, timeout).at(prefix())
        self._by, self._region, self._wait = by, region, wait
        self._clients: list[redis.Redis] = []
        self._opened: Suppression | None = None

    def add(
        self,
        numbers: str | Iterable[str],
        name: str | None = None,
        *,
        account: str | None = None,
        until: datetime | None = None,
        source: str = "",
    ) -> AddedNumbers:
        """Puts numbers on a list: no create-call that holds one of them begins after this.

        ``name``: a named list; None is the global one, or that of an ``account``. ``until``: when
        it ends, with its offset; of an hour, all entries have one source, so whole hours save
        memory. ``source``: where it comes from. The result names what was being sent.
        """
        if until is not None and until.tzinfo is None:
            raise ValueError("until needs an offset: datetime(…, tzinfo=UTC)")
        till_ms = 0 if until is None else int(until.timestamp() * 1000)
        where = list_name(name, account)
        return self._lists().add(_each(numbers), where, till_ms=till_ms, source=source)

    def remove(
        self, numbers: str | Iterable[str], name: str | None = None, *, account: str | None = None
    ) -> int:
        """Takes numbers off a list; returns how many were on it."""
        return self._lists().remove(_each(numbers), list_name(name, account))

    def check(
        self, numbers: Sequence[str], *, account: str = "default", campaign: str = ""
    ) -> list[ListSource | None]:
        """Returns for each number what keeps it from being called now, None if nothing does."""
        return self._lists().check(numbers, account=account, campaign=campaign)

    def lists(self) -> list[ListView]:
        """Returns every list, with how many numbers are on it, and what put them there."""
        return self._lists().lists()

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        for client in self._clients:
            client.close()
        self._clients, self._opened = [], None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lists(self) -> Suppression:
        if self._opened is None:
            first = self._server.client()
            partitions = LedgerReader(first).ask(read_partitions()) or 1
            several = [] if partitions == 1 else connect_partitions(self._server, partitions)
            self._clients = [*dict.fromkeys([first, *several])]
            self._opened = Suppression(
                several or [first], self._by, region=self._region, wait=self._wait
            )
        return self._opened


def _each(numbers: str | Iterable[str]) -> Iterable[str]:
    return [numbers] if isinstance(numbers, str) else numbers
