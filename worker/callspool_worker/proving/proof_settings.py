"""How a process proves, and the moment of a look: plain values."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool_ledger.writes import SpaceLook
    from callspool_worker.proving.records import Finding, Question

LAG = 60.0
"""Seconds for which nothing has to change where a run is listed and none of its tasks is."""

SHORTEST_GAP, LONGEST_GAP = 10.0, 60.0
"""Seconds: more than between any two looks as they are planned."""


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """How this process proves.

    ``accounts``: those whose spaces it can read. ``quiet`` and ``quiet_answered``: seconds without
    change before a document counts as missing, the latter where the API itself answered; of use
    only for takes that do not say it themselves.
    ``resend_unproven``: what is decided where reading back is not possible. ``dedupe_window``:
    seconds for which documents that Redis forgot are remembered. ``lag``: seconds by which what is
    listed may lag where that shows.
    """

    accounts: tuple[str, ...]
    quiet: float
    quiet_answered: float
    max_attempts: int
    resend_unproven: bool
    dedupe_window: float
    lag: float = LAG

    def quiet_of(self, question: Question) -> float:
        """Returns the quiet period of an attempt: what its take says, else what is set here."""
        if question.quiet is not None:
            return question.quiet
        return self.quiet_answered if question.answered else self.quiet

    def quiet_for(self, question: Question, finding: Finding) -> float:
        """Returns the quiet period in view of what was found."""
        quiet = self.quiet_of(question)
        return max(quiet, self.lag) if finding.lags else quiet

    def gap_of(self, question: Question) -> float:
        """Seconds between two looks after which nobody knows what was between them."""
        return min(self.quiet_of(question) + SHORTEST_GAP, LONGEST_GAP)


@dataclass(frozen=True, slots=True)
class LookTime:
    """When a look began, by Redis' clock, and how long ago that is."""

    space: SpaceLook
    _begun: float = field(default_factory=time.monotonic)

    @property
    def begin(self) -> float:
        """Seconds since 1970 by Redis' clock: nothing was read before."""
        return self.space.at_ms / 1000

    def seconds(self) -> float:
        """Seconds since the look began, by a clock that never jumps."""
        return time.monotonic() - self._begun

    def now(self) -> float:
        """Redis' time in seconds, as far as this process can tell."""
        return self.begin + self.seconds()

    def failing(self) -> float:
        """Seconds for which the space could not be read, or not whole."""
        return self.now() - (self.space.failing_ms or self.space.at_ms) / 1000
