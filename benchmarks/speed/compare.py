"""Several contenders in turn, round after round, so that a slow minute hits all of them."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.speed.outcome import spread
from benchmarks.speed.trial import Trial, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.speed.contenders import Contender
    from benchmarks.speed.outcome import Options, Tell

HEADINGS = (
    "",
    "documents/s",
    "enqueued/s",
    "CPU s per 100,000",
    "of it producer",
    "Redis CPU s per 100,000",
    "peak MB",
    "Redis bytes a document",
    "documents",
)


class Comparison:
    """Trials by contender, one for each round."""

    def __init__(self, field: Sequence[tuple[Contender, int]], size: int) -> None:
        self._field = list(field)
        self._size = size
        self.trials: dict[str, list[Trial]] = {}

    def run(self, options: Options, tell: Tell) -> None:
        """Plays all rounds with those that are wanted and installed."""
        self._field = [each for each in self._field if _takes_part(each[0], options, tell)]
        self.trials = {contender.key: [] for contender, _ in self._field}
        for number in range(options.rounds):
            for contender, documents in self._field:
                trial = measure(contender, documents, self._size, options.rig)
                self.trials[contender.key].append(trial)
                tell(
                    f"round {number + 1}: {contender.name}: {trial.rate:,.0f} documents/s,"
                    f" {trial.cpu:.1f} CPU s per 100,000"
                )

    def ratio(self, one: str, other: str, of: Callable[[Trial], float]) -> float | None:
        """How many times as much of something one has as the other: the median of all rounds."""
        pairs = zip(self.trials.get(one, ()), self.trials.get(other, ()), strict=False)
        return median([of(ours) / of(theirs) for ours, theirs in pairs] or [0.0]) or None

    def median(self, one: str, of: Callable[[Trial], float]) -> float:
        return median(map(of, self.trials[one]))

    def rows(self) -> Sequence[tuple[str, ...]]:
        """A table of medians, with their spread where it matters."""
        rows: list[tuple[str, ...]] = [HEADINGS]
        for contender, documents in self._field:
            trials = self.trials[contender.key]
            rows.append(
                (
                    contender.name,
                    spread([each.rate for each in trials]),
                    spread([each.enqueue_rate for each in trials]),
                    spread([each.cpu for each in trials], "{:,.1f}"),
                    f"{median(_producer(each) for each in trials):,.1f}",
                    f"{median(each.redis_cpu_each for each in trials):,.1f}",
                    f"{max(each.peak_memory for each in trials) / 1e6:,.0f}",
                    f"{median(each.redis_bytes for each in trials):,.0f}",
                    f"{documents:,}",
                )
            )
        return rows

    def notes(self) -> list[str]:
        return [f"{contender.name}: {contender.note}" for contender, _ in self._field]

    def figures(self) -> dict[str, object]:
        return {key: msgspec.to_builtins(trials) for key, trials in self.trials.items()}


def _takes_part(contender: Contender, options: Options, tell: Tell) -> bool:
    if options.only and contender.key not in options.only:
        return False
    if contender.missing():
        tell(f"{contender.name} does not take part: it is not installed (say make bench)")
        return False
    return True


def rate(trial: Trial) -> float:
    return trial.rate


def cpu(trial: Trial) -> float:
    return trial.cpu


def _producer(trial: Trial) -> float:
    return trial.producer_cpu * 100_000 / trial.documents
