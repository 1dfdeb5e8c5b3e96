"""What operators and services do to the lists of numbers that must not be called."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.redis_io.scripts import run
from callspool.redis_io.servers import client_at
from callspool.request.identity import read_document_id
from callspool_ledger import scripts
from callspool_ledger.errors import LedgerUnavailable, answering
from callspool_ledger.guard.calls import GuardCalls
from callspool_ledger.guard.guard import Guard, GuardQuestion, key_of
from callspool_ledger.guard.numbers import GuardKey, digest_all
from callspool_ledger.guard.records import ListSource
from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.lanes import read_lane_scopes
from callspool_ledger.writes import Ledger, Limits
from callspool_ledger.writes.durability import Disks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import redis

    from callspool_ledger.guard.numbers import ListedNumbers

NUMBERS_A_CALL = 1000
WAIT_SECONDS = 10.0
"""For how long a command waits, at most, for create-calls under way that hold its numbers."""

_LOOK_SECONDS = 0.05
_encode = msgspec.json.Encoder().encode


class BeingSent(NamedTuple):
    """A document that a create-call held when its number came onto a list; its state since."""

    account: str
    space_token: str
    document_id: str
    state: str


class AddedNumbers(NamedTuple):
    """What became of numbers that were to come onto a list.

    ``known`` were there already, ``unreadable`` are no numbers. ``being_sent``: documents with one
    of them that a create-call held at that moment; no other create-call with one begins any more.
    ``is_on_disk``: Redis has confirmed that it will not forget them when it restarts.
    """

    added: int
    known: int
    unreadable: int
    being_sent: list[BeingSent]
    is_on_disk: bool


class ListView(NamedTuple):
    """A list: how many numbers are on it, and what put them there."""

    name: str
    numbers: int
    sources: list[ListSource]


class _HeldTake(NamedTuple):
    """A take that held suppressed documents, by their places."""

    ledger: Ledger
    taker: str
    batch: int
    account: str
    space_token: str
    documents: dict[int, bytes]


class Suppression:
    """The lists of one installation, as one operator or service changes them.

    ``clients`` are those of the ledger's partitions, in their order. ``region``: of numbers without
    a country code. ``tell`` is called with how many numbers are done, now and then. Raises
    `QueueUnavailable` when Redis does not answer: to ask for the same again is safe.
    """

    def __init__(
        self,
        clients: Sequence[redis.Redis],
        by: str,
        *,
        region: str | None = None,
        wait: float = WAIT_SECONDS,
        tell: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._by = by
        self._region = region
        self._wait = wait
        self._tell = tell
        self._calls = GuardCalls()
        limits, many = Limits(), len(clients)
        self._ledgers = [Ledger(each, limits, at, many) for at, each in enumerate(clients)]
        self._home = self._ledgers[0].at(self._calls.keys.prefix)
        self._guard_client = client_at(clients[0], self._calls.keys.prefix)
        self._guard = Guard(self._ledgers[0], region)
        with answering():
            self._ledgers[0].open()

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
            being_sent = self._settle(self._find_held())
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

    def apply(self, names: Sequence[str], *, account: str, campaign: str) -> None:
        """Holds a campaign to named lists, and to no other ones."""
        keys = self._calls.keys
        field = f"{account}\x1f{campaign}"
        with answering():
            change = ("HSET", keys.applied, field, _encode(list(names)))
            self._home.run_commands(
                [
                    change if names else ("HDEL", keys.applied, field),
                    ("HINCRBY", keys.meta, "version", 1),
                ]
            )
            self._find_held()  # asked from now on, in every partition

    def read_applied(self, *, account: str, campaign: str) -> list[str]:
        """Returns the named lists that a campaign is held to."""
        with answering():
            (found,) = self._home.run_commands(
                [("HGET", self._calls.keys.applied, f"{account}\x1f{campaign}")]
            )
        return msgspec.json.decode(found, type=list[str]) if isinstance(found, bytes) else []

    def _key(self) -> GuardKey:
        """Returns the key of the digests, made where there is none."""
        meta = self._calls.keys.meta
        new_id, secret = secrets.token_hex(4), secrets.token_hex(32)
        replies = self._home.run_commands(
            [
                ("HSETNX", meta, "key", secret),
                ("HSETNX", meta, "id", new_id),
                ("HMGET", meta, "id", "key"),
            ]
        )
        return key_of(replies[2:])

    def _digests(self, numbers: Iterable[str], key: GuardKey) -> Iterator[ListedNumbers]:
        digest, coming = key.digester(), iter(numbers)
        while some := list(islice(coming, NUMBERS_A_CALL)):
            yield digest_all(some, digest, self._region)

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

    def _find_held(self) -> list[_HeldTake]:
        """Has every take ask from now on; finds those before that hold what must not be called.

        Whoever asked before the lists changed had taken its batch before this look, which finds it.
        """
        found: list[_HeldTake] = []
        for ledger in self._ledgers:
            flag = ("HSET", ledger.keys.meta, "guarded", 1)
            _, held = ledger.run_commands([flag, ("HGETALL", ledger.keys.sending)])
            takes = {taker.decode(): text.decode() for taker, text in _pairs(held).items()}
            numbers = {int(text.partition(":")[0]): taker for taker, text in takes.items()}
            batches = ledger.batches([*numbers])
            lanes = ledger.read(
                read_lane_scopes(sorted({each.lane for each, _ in batches.values()}))
            )
            asked = []
            for number, (entry, documents) in batches.items():
                account, space, campaign = lanes.get(entry.lane, (entry.account, "", ""))
                sent = {
                    at: documents[at]
                    for at, letter in enumerate(entry.states)
                    if letter == "s" and at < len(documents)
                }
                held_by = _HeldTake(ledger, numbers[number], number, account, space, sent)
                asked.append((held_by, GuardQuestion(account, campaign, [*sent.values()])))
            for clearance, (one, _) in zip(
                self._guard.screen_all([question for _, question in asked]), asked, strict=True
            ):
                struck = {place for hit in clearance.hits for place in hit.places}
                if struck:
                    sent_now = [*one.documents.items()]
                    found.append(one._replace(documents=dict(sent_now[at] for at in struck)))
        return found

    def _settle(self, held: Sequence[_HeldTake]) -> list[BeingSent]:
        """Waits until the takes are over, or the time is; returns what became of the documents."""
        until = time.monotonic() + self._wait
        found: list[BeingSent] = []
        for one in held:
            while one.taker in one.ledger.sending() and time.monotonic() < until:
                time.sleep(_LOOK_SECONDS)
            entry = one.ledger.batches([one.batch]).get(one.batch)
            states = entry[0].states if entry else ""
            for place, document in one.documents.items():
                letter = states[place : place + 1]
                if letter not in ("w", "K", "-"):  # given back, or kept from being sent
                    state = STATES.get(letter, "sending")
                    document_id = read_document_id(document)
                    found.append(BeingSent(one.account, one.space_token, document_id, state))
        return found


def _pairs(reply: object) -> dict[bytes, bytes]:
    return reply if isinstance(reply, dict) else {}


def _texts(reply: object) -> list[bytes]:
    return reply if isinstance(reply, list) else []
