"""The calls of the guard's scripts, and what they answer. Each script has one typed method."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.hours.caps import MOST_NAMES
from callspool_ledger import scripts
from callspool_ledger.guard.numbers import ListSource
from callspool_ledger.keys import GuardKeys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.hours.caps import Cap
    from callspool.redis_io.scripts import Argument, Call, Command
    from callspool_ledger.guard.numbers import ListedNumbers, NumbersOfDocuments
    from callspool_ledger.guard.recovery import CallsAsked


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

    def reserve(self, key_id: str, numbers: NumbersOfDocuments, asked: CallsAsked) -> Call:
        """Asks the same, and counts the calls where none is to be kept back.

        `read_screening` and `read_capped` read the reply.
        """
        places = numbers.places
        each = "" if places == [*range(len(places))] else ",".join(map(str, places))
        about = (key_id, asked.account, asked.campaign, numbers.digests, each)
        told = (asked.token, asked.missed, " ".join(asked.settled), asked.lease_ms)
        return self._call("reserve", *about, *told, asked.cleared_by)

    def count(self, key_id: str, made: CallsAsked, digests: bytes, at_ms: int = 0) -> Call:
        """Counts calls that an attempt made, as far as they are not counted; at 0: now."""
        about = (key_id, made.account, made.campaign, digests, made.token)
        return self._call("count", *about, at_ms)

    def recover(self, counted: str = "") -> Call:
        """Asks whether Redis may have forgotten calls; ``counted``: of which time all are known."""
        return self._call("recover", counted)

    def give_back(self, key_id: str, token: str, digests: bytes) -> Call:
        """Does not count calls any more that an attempt reserved and provably did not make."""
        return self._call("give_back", key_id, token, digests)

    def set_caps(self, name: str, caps: Sequence[Cap]) -> Call:
        """Writes how often a number may be called, for what ``name`` says (`keys`)."""
        pairs = [(cap.calls, cap.seconds * 1000) for cap in caps]
        return self._call("set_caps", name, msgspec.json.encode(pairs), MOST_NAMES)

    def version(self) -> Command:
        """Asks which version the lists have, for which key, and for how long calls count."""
        return ("HMGET", self.keys.meta, "id", "version", "longest")

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
    version, found, told = reply[:3]
    if not found:
        return Screening(version, {})
    sources = {
        number: _decode_source(text) for number, text in zip(told[::2], told[1::2], strict=True)
    }
    pairs = zip(found[::2], found[1::2], strict=True)
    return Screening(version, {int(place): sources[number] for place, number in pairs})
