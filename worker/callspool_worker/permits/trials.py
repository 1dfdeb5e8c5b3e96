"""Whether more requests in flight bring more throughput, or only wait for each other: pure.

By Little's law the throughput of a full account is its limit divided by the mean response time. A
trial measures the response time at two limits. If it grows as the limit does, the additional
requests wait at the API and carry nothing; if it stays, each of them is worth its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

WINDOWS, MOST_WINDOWS = 5, 30
"""Windows at a limit before it is compared, and after which no difference is found any more."""

CONFIDENCE = 3.0
"""Standard errors by which a verdict has to be clear."""

LEAST_ERROR = 0.02
"""The relative error that is assumed at least: no clock and no network is more even."""

Verdict = Literal["queues", "carries"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Response times at one limit.

    ``skipped``: whether the window after the change is over, whose requests began before it.
    ``answered`` requests in ``windows`` took ``seconds`` altogether; ``squares`` is the sum of the
    windows' squared means, each times its answers.
    """

    limit: int
    skipped: bool = False
    windows: int = 0
    answered: int = 0
    seconds: float = 0.0
    squares: float = 0.0

    def add(self, answered: int, mean: float) -> Sample:
        """Returns the sample with another window."""
        if not self.skipped:
            return replace(self, skipped=True)
        return replace(
            self,
            windows=self.windows + 1,
            answered=self.answered + answered,
            seconds=self.seconds + answered * mean,
            squares=self.squares + answered * mean * mean,
        )

    @property
    def mean(self) -> float:
        """Seconds."""
        return self.seconds / self.answered

    @property
    def error(self) -> float:
        """The mean's standard error, relative to it."""
        spread = max(0.0, self.squares / self.answered - self.mean**2)
        return max(LEAST_ERROR, math.sqrt(spread / (self.windows - 1)) / self.mean)


@dataclass(frozen=True, slots=True)
class Trial:
    """Compares two limits: ``base`` is measured first, then ``other``, which is lower or higher.

    ``has_lowered``: an earlier step of this trial has found a queue and lowered the limit.
    """

    base: Sample
    upwards: bool
    other: Sample | None = None
    has_lowered: bool = False

    @property
    def next_limit(self) -> int:
        """The limit to compare with: a quarter more or less than the base."""
        step = math.ceil(self.base.limit / 4)
        return self.base.limit + (step if self.upwards else -step)

    def add(self, answered: int, mean: float) -> Trial:
        """Returns the trial with another window of the limit that is in force."""
        if self.other is None:
            return replace(self, base=self.base.add(answered, mean))
        return replace(self, other=self.other.add(answered, mean))

    @property
    def has_base(self) -> bool:
        """Whether the first limit is known well enough, or as well as it will ever be."""
        if self.base.windows < WINDOWS:
            return False
        ratio = max(self.base.limit, self.next_limit) / min(self.base.limit, self.next_limit)
        precise = (ratio - 1) / (4 * CONFIDENCE)
        return self.base.error <= precise or self.base.windows >= MOST_WINDOWS

    def verdict(self) -> Verdict | Literal["unclear"] | None:
        """Tells what the higher of the two limits does; None while it takes more windows."""
        if self.other is None or self.other.windows < WINDOWS:
            return None
        low, high = sorted((self.base, self.other), key=lambda sample: sample.limit)
        slower = high.mean / low.mean
        middle = (1 + high.limit / low.limit) / 2
        error = slower * math.hypot(low.error, high.error)
        if abs(slower - middle) < CONFIDENCE * error:
            return "unclear" if self.other.windows >= MOST_WINDOWS else None
        return "queues" if slower > middle else "carries"
