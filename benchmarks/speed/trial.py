"""Trials: contenders call a number of people in turn, and what that took."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.speed.outcome import spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.speed.contenders import Contender
    from benchmarks.speed.outcome import Options, Tell
    from benchmarks.speed.rig import Rig

LIMIT = 900.0
WARM_UP = 400


class Trial(msgspec.Struct):
    """From the first ``enqueue`` to the last create-call; CPU in seconds, memory in bytes.

    ``calls``: Redis' own statistics, by command: calls, and microseconds of each.
    """

    contender: str
    documents: int
    seconds: float
    enqueueing: float
    producer_cpu: float
    worker_cpu: float
    redis_cpu: float
    api_cpu: float
    requests: int
    peak_memory: int
    redis_bytes: float
    calls: dict[str, tuple[int, float]]

    @property
    def rate(self) -> float:
        """Documents per second."""
        return self.documents / self.seconds

    @property
    def enqueue_rate(self) -> float:
        """Documents per second that the producer alone made."""
        return self.documents / self.enqueueing

    @property
    def cpu(self) -> float:
        """CPU seconds of producer and workers for 100,000 documents."""
        return (self.producer_cpu + self.worker_cpu) * 100_000 / self.documents

    @property
    def redis_cpu_each(self) -> float:
        """CPU seconds of Redis for 100,000 documents."""
        return self.redis_cpu * 100_000 / self.documents


def measure(
    contender: Contender, documents: int, size: int, make: Callable[[Contender], Rig]
) -> Trial:
    """Runs one trial with ``size`` contacts in a request; workers and connections are warm."""
    with make(contender) as rig:
        rig.warm_up(WARM_UP, size)
        return in_rig(rig, documents, size)


def in_rig(rig: Rig, documents: int, size: int, waiting: int = 0) -> Trial:
    """As `measure`, on what has been started already and keeps so many documents ``waiting``."""
    rig.client.config_resetstat()
    before = rig.api.counted()
    memory, redis_cpu, api_cpu = rig.redis_memory(), rig.redis_cpu(), rig.api.cpu()
    worker_cpu = rig.worker_cpu()
    produced = rig.producer.send(rig.strangers(documents), documents, size)
    try:
        counted = rig.api.wait_for(before.documents + documents, LIMIT)
    except TimeoutError as error:
        raise RuntimeError(f"{rig.contender.name}: {error}\n{rig.logs()}") from error
    rig.settle(waiting)
    if counted.documents != before.documents + documents:
        raise RuntimeError(f"{counted.documents - before.documents:,} calls for {documents:,}")
    return Trial(
        contender=rig.contender.key,
        documents=documents,
        seconds=counted.last - produced.began,
        enqueueing=produced.seconds,
        producer_cpu=produced.cpu,
        worker_cpu=rig.worker_cpu() - worker_cpu,
        redis_cpu=rig.redis_cpu() - redis_cpu,
        api_cpu=rig.api.cpu() - api_cpu,
        requests=counted.requests - before.requests,
        peak_memory=rig.worker_peak() + rig.producer.peak(),
        redis_bytes=(rig.redis_memory() - memory) / documents,
        calls=_calls(rig),
    )


def _calls(rig: Rig) -> dict[str, tuple[int, float]]:
    found = rig.client.info("commandstats")
    return {
        name.removeprefix("cmdstat_"): (int(each["calls"]), float(each["usec_per_call"]))
        for name, each in found.items()
    }


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
        """Returns how many times as much of something one has: the median of all rounds."""
        pairs = zip(self.trials.get(one, ()), self.trials.get(other, ()), strict=False)
        return median([of(ours) / of(theirs) for ours, theirs in pairs] or [0.0]) or None

    def median(self, one: str, of: Callable[[Trial], float]) -> float:
        return median(map(of, self.trials[one]))

    def rows(self) -> Sequence[tuple[str, ...]]:
        """Returns a table of medians, with their spread where it matters."""
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
