"""Lanes of one document each: no batch ever fills there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from callspool_ledger import keys

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Command
    from callspool_ledger.reads.driving import Reading

SAMPLE = 200
"""Lanes that are looked at, at most."""

ENOUGH = 20
"""Lanes of one document that are worth a word."""

ADVICE = (
    "a request's context, pilot or schedule that differs for every contact makes a lane of one"
    " document each, and no batch fills: put such text into the document's own context"
)


class Lonely(NamedTuple):
    """How many lanes there are, how many of them were looked at, and how many of those hold one."""

    lanes: int
    seen: int
    alone: int

    @property
    def is_usual(self) -> bool:
        """Whether most of many lanes hold one document alone."""
        return self.alone >= ENOUGH and 2 * self.alone > self.seen


def read_lonely(partition: int) -> Reading[Lonely]:
    """The round trips that look at some of the lanes, whatever their number."""
    base = keys.prefix(partition)
    number, some = yield [("SCARD", f"{base}:lanes"), ("SRANDMEMBER", f"{base}:lanes", SAMPLE)]
    lanes = some if isinstance(some, list | set) else []
    asked: list[Command] = [("HGET", f"{base}:l{lane.decode()}", "unsettled") for lane in lanes]
    held = (yield asked) if asked else []
    alone = sum(1 for each in held if each == b"1")
    return Lonely(number if isinstance(number, int) else 0, len(asked), alone)
