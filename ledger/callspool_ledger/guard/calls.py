"""One typed method for each script of the guard, and what they answer as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool_ledger import scripts
from callspool_ledger.guard.records import ListSource
from callspool_ledger.keys import GuardKeys

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Argument, Call, Command
    from callspool_ledger.guard.numbers import ListedNumbers

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
