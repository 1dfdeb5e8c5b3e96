"""The guard: asked after a batch is taken and before its last byte, who may be called now.

It counts calls before they are sent.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from callspool.hours.caps import group_capped
from callspool_ledger.errors import LedgerUnavailable, ListsGone, OtherKey
from callspool_ledger.guard.calls import GuardCalls, read_screening
from callspool_ledger.guard.numbers import (
    GuardKey,
    Hit,
    ListSource,
    digest_numbers,
    each_once,
    read_numbers,
    read_written,
)
from callspool_ledger.guard.recovery import CallsAsked, CallsKnown, RecentCalls
from callspool_ledger.writes.records import as_list, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.hours.caps import CapHit
    from callspool.redis_io.scripts import Reply
    from callspool_ledger.guard.numbers import WrittenNumbers
    from callspool_ledger.writes import Ledger


def _take_some(waiting: deque[str]) -> list[str]:
    some: list[str] = []
    with suppress(IndexError):  # other threads take some, too
        while len(some) < SETTLED_A_CALL:
            some.append(waiting.popleft())
    return some


SETTLED_KEPT, SETTLED_A_CALL = 1000, 50
"""Tokens of attempts whose calls were made that are kept until the guard is asked next, and how
many it then hears of; it forgets by itself what it never hears of."""

NO_KEY = GuardKey("", b"-")
"""The key of lists that hold nothing."""


class Clearance(NamedTuple):
    """What the lists said of documents at one moment: by which key, and in which version.

    ``capped``: those whose numbers were called often enough. ``token`` names the attempt whose
    calls are counted where nothing keeps them back.
    """

    key_id: str
    version: bytes
    account: str
    campaign: str
    digests: bytes
    hits: list[Hit]
    capped: Sequence[CapHit] = ()
    token: str = ""

    @property
    def is_recalled(self) -> bool:
        """Whether nothing was asked for this attempt: what was said before holds, or nothing."""
        return not self.token and not self.digests


class GuardQuestion(NamedTuple):
    """Documents of one account and campaign, to be asked about.

    ``written``: their numbers, where they are known already.
    """

    account: str
    campaign: str
    documents: Sequence[bytes]
    written: WrittenNumbers | None = None


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
        self._settled: deque[str] = deque(maxlen=SETTLED_KEPT)
        self.recent = RecentCalls()
        self._current = ""
        """Which lists there were when this process asked last; "" where there are caps, too."""
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
        read = [
            digest_numbers(each.written or read_written(each.documents), key, region)
            for each in questions
        ]
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

    def name_lists(self, key_id: str, version: bytes) -> str:
        """Returns the word for the lists as they are, by which documents are known as cleared.

        Numbers are read by the region, so another one makes other lists of them. Where the lists
        are gone, nothing is cleared by them: "".
        """
        return key_id and f"{key_id}:{self._region or ''}:{version.decode()}"

    def recall(self, account: str, campaign: str, cleared: str) -> Clearance | None:
        """Returns the clearance of documents that were cleared by these lists when they were
        accepted; None where it does not hold any more, or calls are to be counted.

        Whether it holds at this moment is found out by `is_still_clear`.
        """
        if not cleared or cleared != self._current:
            return None
        key_id, _, version = cleared.split(":")
        return Clearance(key_id, version.encode(), account, campaign, b"", [])

    def reserve(
        self,
        account: str,
        campaign: str,
        documents: Sequence[bytes],
        token: str,
        missed: str = "",
        cleared: str = "",
    ) -> Clearance:
        """Asks whether an attempt may call these documents, and counts the calls if it may.

        Asking again for the same ``token`` counts nothing twice. ``missed``: as of `CallsAsked`.
        ``cleared``: the lists that said of all of them that they may be called (`name_lists`).
        Raises `ListsGone` where there is no list and no cap: only what a ledger that knew of some
        gave out is asked about.
        """
        self.is_used = True
        if self._key is NO_KEY:
            self.read_key()
        settled, lease_ms = _take_some(self._settled), self._home.limits.lease_ms
        asked = CallsAsked(account, campaign, token, missed, settled, lease_ms)
        key_id, _, version = cleared.rpartition(":")
        if key_id == f"{self._key.id}:{self._region or ''}":
            asked = asked._replace(cleared_by=version)
        try:
            return self._reserve(asked, documents, self._key)
        except OtherKey:
            return self._reserve(asked._replace(cleared_by=""), documents, self.read_key())

    def _reserve(self, asked: CallsAsked, documents: Sequence[bytes], key: GuardKey) -> Clearance:
        if key is NO_KEY:
            raise ListsGone(
                "the suppression lists and caps are gone from Redis, and nothing is sent without"
                " them: callspool suppress import FILE (an export), or add a number to begin anew"
            )
        numbers = each_once(read_numbers(documents, key, self._region))
        (reply,) = self._home.run([self.calls.reserve(key.id, numbers, asked)])
        said = read_screening(reply)
        assert isinstance(reply, list)
        hits = _hits(said.found, numbers.places) if said.found else []
        capped = group_capped(reply[3], time.time_ns() // 1_000_000) if reply[3] else []
        if reply[4:]:
            self.recent.keep(asked, numbers.digests)
        head = (key.id, said.version, asked.account, asked.campaign)
        return Clearance(*head, numbers.digests, hits, capped, asked.token)

    def note_made(self, clearance: Clearance) -> None:
        """Notes that the calls of an attempt were made, so that it never gives them back."""
        self._settled.append(clearance.token)

    def give_back(self, clearance: Clearance) -> None:
        """Does not count calls any more that provably were not made."""
        about = clearance.key_id, clearance.token, clearance.digests
        self.recent.drop(clearance.token)
        with suppress(OtherKey):
            self._home.run([self.calls.give_back(*about)])

    def count(
        self, made: CallsAsked, documents: Sequence[bytes], digests: bytes = b"", at_ms: int = 0
    ) -> int:
        """Counts calls that an attempt made, as far as they are not counted yet.

        They are of ``documents``, or of numbers with these ``digests``. Returns how many calls.
        """
        key = self._key if self._key is not NO_KEY else self.read_key()
        if key is NO_KEY:
            return 0
        if documents:
            digests = each_once(read_numbers(documents, key, self._region)).digests
        with suppress(OtherKey):
            (counted,) = self._home.run([self.calls.count(key.id, made, digests, at_ms)])
            return counted if isinstance(counted, int) else 0
        return 0

    def recover(self, counted: str = "") -> CallsKnown:
        """Asks whether Redis may have forgotten calls that count for caps.

        ``counted``: the `CallsKnown.epoch` of which every call is counted anew.
        """
        (reply,) = self._home.run([self.calls.recover(counted)])
        return CallsKnown(*whole_numbers(as_list(reply)))

    def is_still_clear(self, clearance: Clearance) -> bool:
        """Whether nothing of what was cleared has come onto a list since.

        What was recalled is not clear either once there are other lists, or caps.
        """
        try:
            (reply,) = self._home.run_commands([self.calls.version()])
        except LedgerUnavailable:
            self._current = ""  # nothing is recalled, and sent as far as its last byte, meanwhile
            raise
        assert isinstance(reply, list)
        key_id, version = (reply[0] or b"").decode(), reply[1] or b"0"
        has_caps = int(reply[2] or 0) > 0
        self._current = "" if has_caps else self.name_lists(key_id, version)
        if key_id != clearance.key_id or (clearance.is_recalled and has_caps):
            return False
        if version == clearance.version:
            return True
        if clearance.is_recalled:
            return False
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


def keep_key(home: Ledger, meta: str, wanted: GuardKey | None = None) -> GuardKey:
    """Returns the key of the digests; where there is none, it is made, or the one wanted."""
    new_id, secret = secrets.token_hex(4), secrets.token_hex(32)
    if wanted is not None:
        new_id, secret = wanted.id, wanted.secret.hex()
    replies = home.run_commands(
        [
            ("HSETNX", meta, "key", secret),
            ("HSETNX", meta, "id", new_id),
            ("HMGET", meta, "id", "key"),
        ]
    )
    return key_of(replies[2:])


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
