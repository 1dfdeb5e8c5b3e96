"""Why documents are dead or in doubt, from the last batches in which some are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from callspool_ledger import keys
from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.views import Reason

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Command
    from callspool_ledger.reads.driving import Reading

MOST_BATCHES = 200
"""Batches of each state that are looked at: what a look costs does not grow with their number."""
MOST_SPACES = 20
MOST_REASONS = 5


def read_reasons(partition: int) -> Reading[list[Reason]]:
    """The round trips that find the most frequent reasons of the last batches."""
    base = keys.prefix(partition)
    (spaces,) = yield [("ZREVRANGE", f"{base}:proofs", 0, MOST_SPACES - 1)]
    names = [f"doubts:{space.decode()}" for space in _list(spaces)]
    each = MOST_BATCHES // max(1, len(names))
    recent: list[Command] = [("ZREVRANGE", f"{base}:dead", 0, MOST_BATCHES - 1)]
    recent += [("ZREVRANGE", f"{base}:{name}", 0, each - 1) for name in names]
    dead, *doubts = yield recent
    batches = [("d", number) for found in doubts for number in _list(found)]
    batches += [("x", number) for number in _list(dead)]
    wanted: list[Command] = [
        ("HMGET", f"{base}:b{number.decode()}", "s", "why", "held") for _, number in batches
    ]
    records = (yield wanted) if wanted else []
    counts: dict[str, Counter[str]] = {"d": Counter(), "x": Counter()}
    for (letter, _), record in zip(batches, records, strict=True):
        states, why, held = (_text(part) for part in _list(record))
        counts[letter][held or why] += states.count(letter)
    return [
        Reason(STATES[letter], reason, documents)
        for letter, reasons in counts.items()
        for reason, documents in reasons.most_common(MOST_REASONS)
        if documents
    ]


def _list(reply: object) -> list[Any]:
    return reply if isinstance(reply, list) else []


def _text(part: bytes | None) -> str:
    return (part or b"").decode(errors="replace")
