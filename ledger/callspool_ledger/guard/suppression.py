"""What operators and services do to the lists of numbers that must not be called."""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.redis_io.scripts import client_at, run
from callspool_ledger import scripts
from callspool_ledger.errors import LedgerUnavailable, answering
from callspool_ledger.guard.calls import GuardCalls
from callspool_ledger.guard.guard import Guard, keep_key
from callspool_ledger.guard.in_flight import TakesInFlight
from callspool_ledger.guard.numbers import (
    ExportedEntry,
    GuardKey,
    ListedNumbers,
    ListNameError,
    ListSource,
    ListView,
    digest_listed,
)
from callspool_ledger.writes import Ledger, Limits
from callspool_ledger.writes.durability import Disks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import redis

    from callspool_ledger.guard.in_flight import BeingSent


NUMBERS_A_CALL = 1000
BUCKETS_A_LOOK = 512
MOST_WAITING = 200
"""Sources of entries that are restored together, at most."""

WAIT_SECONDS = 10.0
"""For how long a command waits, at most, for create-calls under way that hold its numbers."""

_LOOK_SECONDS = 0.05
_STEPS = 1_000_000
"""What a version grows by, at most: by chance, so that none comes again where Redis forgot one."""

_encode = msgspec.json.Encoder().encode


class AddedNumbers(NamedTuple):
    """What became of numbers that were to come onto a list.

    ``known`` were there already, ``unreadable`` are no numbers. ``being_sent``: documents with a
    listed number that a create-call held at that moment, or that were in doubt; no other
    create-call with one begins any more.
    ``is_on_disk``: Redis has confirmed that it will not forget them when it restarts.
    """

    added: int
    known: int
    unreadable: int
    being_sent: list[BeingSent]
    is_on_disk: bool


class Suppression:
    """The lists of one installation, as one operator or service changes them.

    ``clients`` are those of the ledger's partitions, in their order. ``region``: of numbers without
    a country code. ``tell`` is called with how many numbers are done, now and then. ``begins``: it
    begins the ledger if there is none; what only reads need not. Raises `QueueUnavailable` when
    Redis does not answer: to ask for the same again is safe.
    """

    def __init__(
        self,
        clients: Sequence[redis.Redis],
        by: str,
        *,
        region: str | None = None,
        wait: float = WAIT_SECONDS,
        tell: Callable[[int], object] = lambda _: None,
        begins: bool = True,
    ) -> None:
        self._by = by
        self._region = region
        self._tell = tell
        self._notes: dict[str, int] = {}
        self._calls = GuardCalls()
        limits, many = Limits(feed="", lease_ms=0, quiet_ms=0), len(clients)
        self._ledgers = [Ledger(each, limits, at, many) for at, each in enumerate(clients)]
        self._home = self._ledgers[0].at(self._calls.keys.prefix)
        self._guard_client = client_at(clients[0], self._calls.keys.prefix)
        self._guard = Guard(self._ledgers[0], region)
        self._in_flight = TakesInFlight(self._ledgers, self._guard, wait)
        if begins:
            with answering():
                self._ledgers[0].open()

    def read_clock(self) -> float:
        """Returns the time, in unix seconds, of the Redis that holds the lists."""
        with answering():
            (found,) = self._home.run_commands([("TIME",)])
        assert isinstance(found, list | tuple)
        return int(found[0]) + int(found[1]) / 1e6

    def add(
        self,
        numbers: Iterable[str],
        name: str,
        *,
        till_ms: int = 0,
        source: str = "",
    ) -> AddedNumbers:
        """Puts numbers on a list: no create-call that holds one of them begins after this.

        Creations under way are waited for, some seconds at most, and named.
        """
        with answering():
            key, entry = self._key(), 0
            added = known = unreadable = 0
            for some in self._digests(numbers, key):
                call = self._calls.add(
                    key.id, name, some, till_ms=till_ms, source=source, by=self._by
                )
                (reply,) = self._home.run([call])
                assert isinstance(reply, list)
                added, known = added + reply[0], known + reply[1]
                unreadable += some.unreadable
                entry = self._note(entry, "suppress add", name, reply[0])
                self._tell(added + known)
            is_on_disk = self._confirm()
            being_sent = self._in_flight.settle()
            return AddedNumbers(added, known, unreadable, being_sent, is_on_disk)

    def remove(self, numbers: Iterable[str], name: str) -> int:
        """Takes numbers off a list; returns how many were on it."""
        with answering():
            key, entry, removed = self._key(), 0, 0
            for some in self._digests(numbers, key):
                (reply,) = self._home.run([self._calls.remove(key.id, name, some)])
                assert isinstance(reply, list)
                removed += reply[0]
                entry = self._note(entry, "suppress remove", name, reply[0])
            return removed

    def check(
        self, numbers: Sequence[str], *, account: str = "default", campaign: str = ""
    ) -> list[ListSource | None]:
        """Returns for each number what keeps it from being called, None if nothing does."""
        documents = [_encode({"contact_number": number}) for number in numbers]
        with answering():
            hits = self._guard.screen(account, campaign, documents).hits
        found: list[ListSource | None] = [None] * len(numbers)
        for hit in hits:
            for place in hit.places:
                found[place] = hit.source
        return found

    def lists(self) -> list[ListView]:
        """Returns every list that holds a number, or did."""
        keys = self._calls.keys
        with answering():
            counts, sources = self._home.run_commands(
                [("HGETALL", keys.lists), ("HVALS", keys.sources)]
            )
        counted = {name.decode(): int(n) for name, n in _pairs(counts).items()}
        every = [msgspec.json.decode(each, type=ListSource) for each in _texts(sources)]
        by_name: dict[str, list[ListSource]] = {name: [] for name in counted}
        for one in sorted(every, key=lambda each: each.since):
            if one.list in by_name:
                by_name[one.list].append(one)
        return [ListView(name, counted[name], by_name[name]) for name in sorted(counted)]

    def export(self) -> Iterator[ExportedEntry]:
        """Yields every entry of every list, some hundred in a round trip."""
        keys = self._calls.keys
        with answering():
            (told,) = self._home.run_commands([("HGETALL", keys.sources)])
        sources = {
            number.decode(): msgspec.json.decode(text, type=ListSource)
            for number, text in _pairs(told).items()
        }
        starts = [at.to_bytes(2) for at in range(1 << 16)]
        for at in range(0, len(starts), BUCKETS_A_LOOK):
            some = starts[at : at + BUCKETS_A_LOOK]
            with answering():
                found = self._home.run_commands([("HGETALL", keys.bucket(one)) for one in some])
            for start, entries in zip(some, found, strict=True):
                for rest, entry in _pairs(entries).items():
                    for each in entry.decode().split(","):
                        source = sources.get(each.rstrip("~"))
                        if source is not None:
                            yield ExportedEntry(start + rest, source, each.endswith("~"))

    def read_key(self) -> GuardKey:
        """Returns the key that the digests of this installation are made with."""
        with answering():
            return self._key()

    def restore(self, key: GuardKey, entries: Iterable[ExportedEntry]) -> AddedNumbers:
        """Adds entries that were exported, where the key is the same or there is none yet.

        Raises `ListNameError` where another key is in use: digests of two keys do not mix.
        """
        with answering():
            kept = self._key(key)
            if kept != key:
                raise ListNameError(
                    "these lists have another key than the export: import it into the installation"
                    " that it came from, or into a new one"
                )
            waiting: dict[tuple[ListSource, bool], list[bytes]] = {}
            added = known = 0
            for entry in entries:
                some = waiting.setdefault((entry.source, entry.is_other_form), [])
                some.append(entry.digest)
                if len(some) == NUMBERS_A_CALL or len(waiting) > MOST_WAITING:
                    added, known = self._restore(key, waiting, added, known)
            added, known = self._restore(key, waiting, added, known)
            is_on_disk = self._confirm()
            return AddedNumbers(added, known, 0, self._in_flight.settle(), is_on_disk)

    def _restore(
        self,
        key: GuardKey,
        waiting: dict[tuple[ListSource, bool], list[bytes]],
        added: int,
        known: int,
    ) -> tuple[int, int]:
        entries: dict[str, int] = {}
        for (source, is_other), digests in waiting.items():
            joined = b"".join(digests)
            numbers = ListedNumbers(b"", joined) if is_other else ListedNumbers(joined, b"")
            call = self._calls.add(
                key.id,
                source.list,
                numbers,
                till_ms=source.till,
                source=source.source,
                by=source.by,
                since_ms=source.since,
            )
            (reply,) = self._home.run([call])
            assert isinstance(reply, list)
            added, known = added + reply[0], known + reply[1]
            entries[source.list] = entries.get(source.list, 0) + reply[0]
        waiting.clear()
        for name, numbers_added in entries.items():
            number = self._notes.get(name, 0)
            self._notes[name] = self._note(number, "suppress import", name, numbers_added)
        self._tell(added + known)
        return added, known

    def apply(self, names: Sequence[str], *, account: str, campaign: str) -> None:
        """Holds a campaign to named lists, and to no other ones."""
        keys = self._calls.keys
        field = f"{account}\x1f{campaign}"
        with answering():
            change = ("HSET", keys.applied, field, _encode(list(names)))
            self._home.run_commands(
                [
                    change if names else ("HDEL", keys.applied, field),
                    ("HINCRBY", keys.meta, "version", 1 + secrets.randbelow(_STEPS)),
                ]
            )
            self._in_flight.find_held()  # asked from now on, in every partition

    def read_applied(self, *, account: str, campaign: str) -> list[str]:
        """Returns the named lists that a campaign is held to."""
        return self.read_all_applied().get(f"{account}\x1f{campaign}", [])

    def read_all_applied(self) -> dict[str, list[str]]:
        """Returns the named lists of each campaign that is held to some, by `CampaignName.key`."""
        with answering():
            (found,) = self._home.run_commands([("HGETALL", self._calls.keys.applied)])
        return {
            name.decode(): msgspec.json.decode(lists, type=list[str])
            for name, lists in _pairs(found).items()
        }

    def _key(self, wanted: GuardKey | None = None) -> GuardKey:
        """Returns the key of the digests; where there is none, it is made, or the one wanted."""
        return keep_key(self._home, self._calls.keys.meta, wanted)

    def _digests(self, numbers: Iterable[str], key: GuardKey) -> Iterator[ListedNumbers]:
        coming = iter(numbers)
        while some := list(islice(coming, NUMBERS_A_CALL)):
            yield digest_listed(some, key, self._region)

    def _confirm(self) -> bool:
        disks = Disks("off", self._calls.keys.meta)
        with suppress(LedgerUnavailable):
            return disks.try_to_wait(partial(run, self._guard_client))
        return False

    def _note(self, entry: int, command: str, name: str, numbers: int) -> int:
        ledger = self._ledgers[0]
        call = scripts.load("steering/note_numbers").call(
            [ledger.keys.prefix], [entry, self._by, command, _encode({"list": name}), numbers]
        )
        (reply,) = ledger.run([call])
        return int(reply) if isinstance(reply, int) else 0


def count_listed(client: redis.Redis) -> dict[str, int]:
    """Returns how many numbers each list holds, for a look that changes nothing.

    ``client``: of any partition.
    """
    keys = GuardCalls().keys
    (found,) = run(client_at(client, keys.prefix), [("HGETALL", keys.lists)])
    return {name.decode(): int(number) for name, number in _pairs(found).items()}


def _pairs(reply: object) -> dict[bytes, bytes]:
    return reply if isinstance(reply, dict) else {}


def _texts(reply: object) -> list[bytes]:
    return reply if isinstance(reply, list) else []
