"""Why documents are dead or in doubt, from the last batches in which some are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from callspool import keys
from callspool.ledger.entries import STATES
from callspool.ledger.views import Reason

if TYPE_CHECKING:
    from callspool.ledger.driving import Reading
    from callspool.scripts import Command

MOST_BATCHES = 200
"""Batches of each kind that are looked at: what a look costs does not grow with their number."""
MOST_REASONS = 5

_WHERE = {"d": "doubts", "x": "dead"}


def read_reasons(partition: int) -> Reading[list[Reason]]:
    """The round trips that find the most frequent reasons of the last batches."""
    base = keys.prefix(partition)
    recent: list[Command] = [
        ("ZREVRANGE", f"{base}:{key}", 0, MOST_BATCHES - 1) for key in _WHERE.values()
    ]
    found = yield recent
    numbers = [
        (letter, number.decode())
        for letter, batches in zip(_WHERE, found, strict=True)
        for number in (batches if isinstance(batches, list) else [])
    ]
    wanted: list[Command] = [("HMGET", f"{base}:b{number}", "s", "why") for _, number in numbers]
    records = (yield wanted) if wanted else []
    counts: Counter[tuple[str, str]] = Counter()
    for (letter, _), record in zip(numbers, records, strict=True):
        if isinstance(record, list) and record[0]:
            states, why = (part.decode(errors="replace") if part else "" for part in record)
            counts[letter, why] += states.count(letter)
    return [
        Reason(STATES[letter], why, documents)
        for wanted_letter in _WHERE
        for (letter, why), documents in _most(counts, wanted_letter)
        if documents
    ]


def _most(counts: Counter[tuple[str, str]], letter: str) -> list[tuple[tuple[str, str], int]]:
    of_state = Counter({key: number for key, number in counts.items() if key[0] == letter})
    return of_state.most_common(MOST_REASONS)
