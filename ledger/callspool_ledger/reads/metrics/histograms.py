"""Histograms of the ledger: how their buckets are counted, in P:timings (`keys`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

SUBMISSION_MS = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000)
DELIVERY_MS = (
    500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000,
    86_400_000,
)  # fmt: skip
BATCH_DOCUMENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
"""Upper bounds of buckets. Those of what is stored already must never change."""


@dataclass(slots=True)
class Histogram:
    """How many fell into each bucket, counted from 1 and not cumulated; and their sum."""

    buckets: Counter[int] = field(default_factory=Counter)
    sum: int = 0

    def add(self, bucket: str, number: int) -> None:
        """Adds one field of P:timings."""
        if bucket == "sum":
            self.sum += number
        else:
            self.buckets[int(bucket)] += number

    def merge(self, other: Histogram) -> None:
        """Adds another histogram with the same bounds."""
        self.buckets.update(other.buckets)
        self.sum += other.sum

    def cumulated(self, bounds: tuple[int, ...]) -> list[int]:
        """For each bound how many are not above it; the last number is how many there are."""
        return [*accumulate(self.buckets[bucket] for bucket in range(1, len(bounds) + 2))]
