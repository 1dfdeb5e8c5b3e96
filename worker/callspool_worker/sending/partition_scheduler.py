"""The threads that send, and the partitions that they send for in turn."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from callspool_ledger.writes import LedgerUnavailable
from callspool_worker.backoff import LedgerRetry
from callspool_worker.permits import Senders
from callspool_worker.sending.recording import Recorder
from callspool_worker.sending.submit import Submitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from callspool_ledger.guard import Guard
    from callspool_ledger.writes import Ledger
    from callspool_worker.liveness import Heartbeat
    from callspool_worker.permits import Feedback, Permits
    from callspool_worker.sending.submit import Api, SendPermits, SubmitSettings


BATCHES_A_TURN = 8
"""Batches that a thread sends of a partition while another one waits for its turn."""

Result = TypeVar("Result")
Reserved = tuple[str, ...]


class SteppingAside(Protocol):
    """Threads that send, of which one may step aside."""

    def aside(self) -> AbstractContextManager[None]: ...
    def wake(self) -> None: ...


class PartitionScheduler:
    """Gives each partition that was woken its turn.

    ``nudge`` is called with a partition in which something was sent.
    """

    def __init__(self, permits: SendPermits, nudge: Callable[[int], None]) -> None:
        self._permits = permits
        self._nudge = nudge
        self._works: list[Callable[[Reserved, Callable[[], bool]], None]] = []
        self._woken: dict[int, None] = {}
        self._away: dict[int, int] = {}
        self._lock = threading.Lock()

    def add(self, work: Callable[[Reserved, Callable[[], bool]], None]) -> None:
        """Adds what sends for the next partition: (permits, whether to go on) → nothing."""
        self._works.append(work)

    def permits_of(self, partition: int) -> SendPermits:
        """Returns the permits as the threads that send for a partition see them."""
        return _PermitsOfPartition(self._permits, self, partition)

    def wake(self, partition: int) -> None:
        """Something of a partition may be ready."""
        with self._lock:
            self._woken.setdefault(partition)

    def is_empty(self, partition: int) -> None:
        """Nothing of a partition is ready."""
        with self._lock:
            self._woken.pop(partition, None)

    def others_wait(self, partition: int) -> bool:
        """Whether another partition waits for its turn."""
        with self._lock:
            return any(one != partition and one not in self._away for one in self._woken)

    def is_away(self, partition: int) -> bool:
        """Whether a thread waits for the node of a partition."""
        return partition in self._away

    @contextmanager
    def waiting_for(self, partition: int) -> Iterator[None]:
        """Keeps other threads from a partition while one waits for its node."""
        with self._lock:
            self._away[partition] = self._away.get(partition, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._away[partition] -= 1
                if not self._away[partition]:
                    del self._away[partition]
                self._woken.setdefault(partition)

    def work(self, reserved: Reserved) -> None:
        """Sends with these permits, for the partition whose turn it is, then for the next."""
        while reserved:
            partition = self._next()
            if partition is None:
                self._permits.keep(reserved, None)
                return
            self._works[partition](reserved, _Turn(self, partition).goes_on)
            self._nudge(partition)
            reserved = self._permits.reserve() if self.others_wait(-1) else ()

    def _next(self) -> int | None:
        with self._lock:
            for partition in self._woken:
                if partition not in self._away:
                    del self._woken[partition]
                    self._woken[partition] = None  # behind all others
                    return partition
        return None


class _Turn:
    """One thread's turn at one partition."""

    def __init__(self, scheduler: PartitionScheduler, partition: int) -> None:
        self._scheduler = scheduler
        self._partition = partition
        self._batches = 0

    def goes_on(self) -> bool:
        """Asked after each batch: whether the thread may go on here."""
        self._batches += 1
        return self._batches < BATCHES_A_TURN or not self._scheduler.others_wait(self._partition)


class _PermitsOfPartition:
    """Permits as the threads that send for one partition see them."""

    def __init__(self, permits: SendPermits, scheduler: PartitionScheduler, partition: int) -> None:
        self._permits = permits
        self._scheduler = scheduler
        self._partition = partition
        self.reserve = permits.reserve
        self.began = permits.began
        self.gave_back = permits.gave_back

    def keep(self, reserved: Reserved, used: str | None, *, looked: bool = True) -> None:
        """That nothing was found here says nothing of other partitions."""
        if looked and used is None:
            self._scheduler.is_empty(self._partition)
            looked = not self._scheduler.others_wait(self._partition)
        self._permits.keep(reserved, used, looked=looked)

    def note_end(self, name: str, told: Feedback, began: tuple[float, int]) -> float:
        return self._permits.note_end(name, told, began)


class YieldingRetry(LedgerRetry):
    """As `LedgerRetry`, for one partition: a thread that waits for its node steps aside."""

    def __init__(
        self,
        stop: threading.Event,
        give_up_after: float,
        partition: int,
        scheduler: PartitionScheduler,
        senders: SteppingAside,
    ) -> None:
        super().__init__(stop, give_up_after)
        self._partition = partition
        self._scheduler = scheduler
        self._senders = senders

    def until_answered(
        self, step: Callable[[], Result], when_full: Callable[[], None] | None = None
    ) -> Result:
        """See `LedgerRetry.until_answered`."""
        try:
            return step()
        except LedgerUnavailable:
            pass
        try:
            with self._scheduler.waiting_for(self._partition), self._senders.aside():
                return super().until_answered(step, when_full)
        finally:
            self._senders.wake()


class SenderPool:
    """The actor ``submit``: wakes the threads that send, for all partitions.

    ``retry`` is for those that do not send: their waiting holds no partition back.
    """

    def __init__(self, retry: LedgerRetry, senders: Senders, scheduler: PartitionScheduler) -> None:
        self.retry = retry
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
    guard: Guard | None = None,
) -> SenderPool:
    """Builds what sends the batches of all partitions.

    ``nudge`` is called with a partition where something was sent. ``threads``: how many may send
    however fast the API answers. ``guard``: asked who must not be called.
    """
    scheduler = PartitionScheduler(permits, nudge)
    senders = Senders(permits, pulse.working(scheduler.work), least=threads)
    for ledger in ledgers:
        retry = YieldingRetry(stop, how.request_timeout, ledger.partition, scheduler, senders)
        permits_there = scheduler.permits_of(ledger.partition)
        recorder = Recorder(ledger)
        submitter = Submitter(ledger, asked, recorder, retry, permits_there, how=how, guard=guard)
        scheduler.add(submitter.work)
    return SenderPool(LedgerRetry(stop, how.request_timeout), senders, scheduler)
