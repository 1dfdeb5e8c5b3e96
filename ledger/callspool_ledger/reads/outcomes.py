"""What became of the calls of created documents, as the record of a batch keeps it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OUTCOME_LETTERS = {
    "o": "open",
    "r": "reached",
    "n": "not_reached",
    "f": "failed",
    "e": "ended",
    "l": "lost_sight",
}
"""The letters of created documents in `y`, and the outcomes they stand for."""

OUTCOMES = tuple(OUTCOME_LETTERS.values())
"""What became of the calls of created documents; of each of these there is exactly one."""

_CALL = struct.Struct(">BBBIII")
"""What `yd` holds of a call: status, end reason, rings, started, ended, seconds."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is kept of a created document's call that ended; times in seconds since 1970.

    ``rings``: how often it was seen to ring, at least. What the API did not say is empty, or 0.
    """

    status: str = ""
    end_reason: str = ""
    rings: int = 0
    started: int = 0
    ended: int = 0
    duration: int = 0


def unpack_call(packed: bytes, place: int, words: Sequence[str]) -> CallRecord | None:
    """Returns the call at a place of those that were packed together; None if there is none."""
    one = packed[place * _CALL.size : (place + 1) * _CALL.size]
    if len(one) < _CALL.size:
        return None
    status, reason, *numbers = _CALL.unpack(one)
    named = dict(enumerate(words, 1))
    return CallRecord(named.get(status, ""), named.get(reason, ""), *numbers)


def add_lost_sight(counted: Mapping[str, int], created: int) -> dict[str, int]:
    """Returns outcomes whose sum is ``created``: what no other one counts is lost sight of."""
    others = {name: counted.get(name, 0) for name in OUTCOMES if name != "lost_sight"}
    return {**others, "lost_sight": created - sum(others.values())}
