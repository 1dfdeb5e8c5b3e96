"""The guard: asked after a batch is taken and before its last byte, who must not be called.

Each of its scripts has one typed method, and answers values. A number that comes onto a list may be
held by a create-call that is under way: those are found, too.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.request.identity import read_document_id
from callspool_ledger import scripts
from callspool_ledger.errors import LedgerUnavailable, OtherKey
from callspool_ledger.guard.numbers import GuardKey, Hit, ListSource, read_numbers
from callspool_ledger.keys import GuardKeys
from callspool_ledger.reads.doubts import read_doubtful
from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.lanes import read_lane_scopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool.redis_io.scripts import Argument, Call, Command, Reply
    from callspool_ledger.guard.numbers import ListedNumbers
    from callspool_ledger.writes import Ledger


_decode_source = msgspec.json.Decoder(ListSource).decode


class Screening(NamedTuple):
    """What the lists say: their version, and the source for each suppressed place."""

    version: bytes
    found: dict[int, ListSource]


class GuardCalls:
    """The calls of the guard, whose keys lie in a slot of their own."""

    def __init__(self) -> None:
        self.keys = GuardKeys()

    def _call(self, name: str, *args: Argument) -> Call:
        return scripts.load(f"guard/{name}").call([self.keys.prefix], args)

    def screen(self, key_id: str, account: str, campaign: str, digests: bytes) -> Call:
        """Asks which numbers must not be called, and why; `read_screening` reads the reply."""
        return self._call("screen", key_id, account, campaign, digests)

    def version(self) -> Command:
        """Asks how often the lists have changed, and for which key."""
        return ("HMGET", self.keys.meta, "id", "version")

    def add(
        self,
        key_id: str,
        name: str,
        numbers: ListedNumbers,
        *,
        till_ms: int,
        source: str,
        by: str,
        since_ms: int = 0,
    ) -> Call:
        """Puts numbers on a list."""
        about = (till_ms, source, by, since_ms)
        return self._call("add", key_id, name, *about, numbers.first, numbers.others)

    def remove(self, key_id: str, name: str, numbers: ListedNumbers) -> Call:
        """Takes numbers off a list."""
        return self._call("remove", key_id, name, numbers.first, numbers.others)


def read_screening(reply: object) -> Screening:
    """Returns what the lists say."""
    if not isinstance(reply, list):
        raise TypeError(f"screen answered {type(reply).__name__}, not a list")
    version, found, told = reply
    if not found:
        return Screening(version, {})
    sources = {
        number: _decode_source(text) for number, text in zip(told[::2], told[1::2], strict=True)
    }
    pairs = zip(found[::2], found[1::2], strict=True)
    return Screening(version, {int(place): sources[number] for place, number in pairs})


NO_KEY = GuardKey("", b"-")
"""The key of lists that hold nothing."""


class Clearance(NamedTuple):
    """What the lists said of documents at one moment: by which key, and in which version."""

    key_id: str
    version: bytes
    account: str
    campaign: str
    digests: bytes
    hits: list[Hit]


class GuardQuestion(NamedTuple):
    """Documents of one account and campaign, to be asked about."""

    account: str
    campaign: str
    documents: Sequence[bytes]


class Guard:
    """Knows who must not be called. Safe among threads.

    ``home``: a ledger from which the guard's keys are reached. ``region``: of numbers without a
    country code. Every method raises `LedgerUnavailable` when Redis does not answer.
    """

    def __init__(self, home: Ledger, region: str | None = None) -> None:
        self.calls = GuardCalls()
        self._home = home.at(self.calls.keys.prefix)
        self._region = region
        self._key = NO_KEY
        self.is_used = False
        """Whether this process has seen that there is a list."""

    def screen(self, account: str, campaign: str, documents: Sequence[bytes]) -> Clearance:
        """Asks in one round trip which of these documents must not be called."""
        (found,) = self.screen_all([GuardQuestion(account, campaign, documents)])
        return found

    def screen_all(self, questions: Sequence[GuardQuestion]) -> list[Clearance]:
        """Returns the same of several accounts and campaigns, in one round trip."""
        if not questions:
            return []
        self.is_used = True
        if self._key is NO_KEY:
            self.read_key()
        try:
            return self._screen(questions, self._key)
        except OtherKey:
            return self._screen(questions, self.read_key())

    def _screen(self, questions: Sequence[GuardQuestion], key: GuardKey) -> list[Clearance]:
        region = self._region
        read = [read_numbers(each.documents, key, region) for each in questions]
        calls = [
            self.calls.screen(key.id, each.account, each.campaign, numbers.digests)
            for each, numbers in zip(questions, read, strict=True)
        ]
        found = []
        for each, numbers, reply in zip(questions, read, self._home.run(calls), strict=True):
            said = read_screening(reply)
            hits = _hits(said.found, numbers.places) if said.found else []
            head = (key.id, said.version, each.account, each.campaign)
            found.append(Clearance(*head, numbers.digests, hits))
        return found

    def is_still_clear(self, clearance: Clearance) -> bool:
        """Whether nothing of what was cleared has come onto a list since."""
        (reply,) = self._home.run_commands([self.calls.version()])
        key_id, version = reply if isinstance(reply, list) else (None, None)
        if (key_id or b"").decode() != clearance.key_id:
            return False
        if (version or b"0") == clearance.version:
            return True
        head = clearance.key_id, clearance.account, clearance.campaign
        try:
            (again,) = self._home.run([self.calls.screen(*head, clearance.digests)])
        except OtherKey:
            return False
        return not read_screening(again).found

    def keep_asked(self, ledger: Ledger) -> None:
        """Has the takes of a partition ask the guard once there are lists, also where it forgot."""
        with suppress(LedgerUnavailable):
            self.is_used = self.is_used or self.read_key() is not NO_KEY
        if self.is_used:
            ledger.run_commands([("HSETNX", ledger.keys.meta, "guarded", 1)])

    def read_key(self) -> GuardKey:
        """Reads the key that digests are made with; `NO_KEY` where there is none."""
        self._key = key_of(self._home.run_commands([("HMGET", self.calls.keys.meta, "id", "key")]))
        return self._key


def key_of(replies: Sequence[Reply]) -> GuardKey:
    """Returns the key that Redis answered with."""
    found = replies[0]
    if not isinstance(found, list) or not found[0] or not found[1]:
        return NO_KEY
    return GuardKey(found[0].decode(), bytes.fromhex(found[1].decode()))


def _hits(found: dict[int, ListSource], places: Sequence[int]) -> list[Hit]:
    by_source: dict[ListSource, dict[int, None]] = defaultdict(dict)
    told: set[int] = set()
    for at, source in sorted(found.items()):
        if places[at] not in told:
            told.add(places[at])
            by_source[source][places[at]] = None
    return [Hit(source, [*taken]) for source, taken in by_source.items()]


_LOOK_SECONDS = 0.05
_BATCHES_READ = 50
_MAY_BE_SENT = frozenset("sdh")
"""Letters of documents that a create-call holds, or that the API may still be carrying out."""


class BeingSent(NamedTuple):
    """A document that a create-call held when its number came onto a list, or that was in doubt.

    ``state``: what became of it since.
    """

    account: str
    space_token: str
    document_id: str
    state: str


class _HeldTake(NamedTuple):
    """A take that held suppressed documents, by their places; without a taker if it is over."""

    ledger: Ledger
    taker: str
    batch: int
    account: str
    space_token: str
    documents: dict[int, bytes]


class TakesInFlight:
    """Looks after the takes of all partitions; ``wait`` for them at most so many seconds."""

    def __init__(self, ledgers: Sequence[Ledger], guard: Guard, wait: float) -> None:
        self._ledgers = ledgers
        self._guard = guard
        self._wait = wait

    def find_held(self) -> list[_HeldTake]:
        """Has every take ask from now on; finds those before that hold what must not be called.

        What is in doubt counts, too: the API may still be carrying it out.
        A worker that asked before the lists changed had taken its batch before this look, so
        this look finds it.
        """
        found: list[_HeldTake] = []
        for ledger in self._ledgers:
            flag = ("HSET", ledger.keys.meta, "guarded", 1)
            _, held = ledger.run_commands([flag, ("HGETALL", ledger.keys.sending)])
            assert isinstance(held, dict)
            takes = {taker.decode(): text.decode() for taker, text in held.items()}
            numbers = {int(text.partition(":")[0]): taker for taker, text in takes.items()}
            for number in ledger.read(read_doubtful()):  # a take may have ended since
                numbers.setdefault(number, "")
            pairs = [*numbers.items()]
            for at in range(0, len(pairs), _BATCHES_READ):
                found += self._find_listed(ledger, dict(pairs[at : at + _BATCHES_READ]))
        return found

    def _find_listed(self, ledger: Ledger, numbers: dict[int, str]) -> Iterator[_HeldTake]:
        """Yields those of these batches, each with its taker, that hold what must not be called."""
        batches = ledger.batches([*numbers])
        lanes = ledger.read(read_lane_scopes(sorted({each.lane for each, _ in batches.values()})))
        asked = []
        for number, (entry, documents) in batches.items():
            account, space, campaign = lanes.get(entry.lane, (entry.account, "", ""))
            sent = {
                at: documents[at]
                for at, letter in enumerate(entry.states[: len(documents)])
                if letter in _MAY_BE_SENT
            }
            held_by = _HeldTake(ledger, numbers[number], number, account, space, sent)
            asked.append((held_by, GuardQuestion(account, campaign, [*sent.values()])))
        for clearance, (one, _) in zip(
            self._guard.screen_all([question for _, question in asked]), asked, strict=True
        ):
            struck = {place for hit in clearance.hits for place in hit.places}
            if struck:
                sent_now = [*one.documents.items()]
                yield one._replace(documents=dict(sent_now[at] for at in struck))

    def settle(self) -> list[BeingSent]:
        """Waits until such takes are over, or the time is; returns what became of the documents."""
        held = self.find_held()
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
