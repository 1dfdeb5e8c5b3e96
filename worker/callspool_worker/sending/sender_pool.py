"""The threads that send, for all partitions in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_worker.permits import Senders
from callspool_worker.persistence import Persistence
from callspool_worker.sending.partition_scheduler import PartitionScheduler, YieldingPersistence
from callspool_worker.sending.recording import Recorder
from callspool_worker.sending.submit import Submitter

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from callspool_ledger.writes import Ledger
    from callspool_worker.liveness.heartbeat import Heartbeat
    from callspool_worker.permits import Permits
    from callspool_worker.sending.submit import Api, SubmitSettings


class SenderPool:
    """The actor ``submit``: wakes the threads that send, for all partitions.

    ``persistence`` is for those that do not send: their waiting holds no partition back.
    """

    def __init__(
        self, persistence: Persistence, senders: Senders, scheduler: PartitionScheduler
    ) -> None:
        self.persistence = persistence
        self.senders = senders
        self._scheduler = scheduler

    def wake(self, partition: int = 0) -> None:
        """Has a thread look for batches of a partition: something may be ready there."""
        self._scheduler.wake(partition)
        self.senders.wake()


def build_senders(
    ledgers: Sequence[Ledger],
    asked: Api,
    permits: Permits,
    how: SubmitSettings,
    stop: threading.Event,
    pulse: Heartbeat,
    nudge: Callable[[int], None],
    threads: int,
) -> SenderPool:
    """Builds what sends the batches of all partitions.

    ``nudge`` is called with a partition where something was sent. ``threads``: how many may send
    however fast the API answers.
    """
    scheduler = PartitionScheduler(permits, nudge)
    senders = Senders(permits, pulse.working(scheduler.work), least=threads)
    for ledger in ledgers:
        persistence = YieldingPersistence(
            stop, how.request_timeout, ledger.partition, scheduler, senders
        )
        permits_there = scheduler.permits_of(ledger.partition)
        submitter = Submitter(ledger, asked, Recorder(ledger), persistence, permits_there, how=how)
        scheduler.add(submitter.work)
    return SenderPool(Persistence(stop, how.request_timeout), senders, scheduler)
