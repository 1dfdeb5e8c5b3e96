"""One trial: a contender calls a number of people; what that took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.speed.contenders import Contender
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

    @property
    def api_share(self) -> float:
        """The part of one core that the stub of the API used."""
        return self.api_cpu / self.seconds


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
