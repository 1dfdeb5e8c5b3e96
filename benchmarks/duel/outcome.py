"""What one contestant made of the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.duel.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one contestant's list, in how many seconds, and what it met meanwhile."""

    name: str
    note: str
    verdict: Verdict
    seconds: float
    kills: int
    finished: bool
