"""Who sends: with one partition all threads for it, with several for one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_worker.permits import Senders
from callspool_worker.persistence import Persistence
from callspool_worker.sending.partition_scheduler import PersistenceInTurns, Turns
from callspool_worker.sending.recording import Recorder
from callspool_worker.sending.submit import Submitter

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from callspool_ledger.writes import Ledger
    from callspool_worker.liveness.heartbeat import Pulse
    from callspool_worker.permits import Permits
    from callspool_worker.sending.submit import Api, Delivering


def sending_of(
    ledgers: Sequence[Ledger],
    asked: Api,
    permits: Permits,
    how: Delivering,
    stop: threading.Event,
    pulse: Pulse,
    nudge: Callable[[int], None],
    threads: int,
) -> Sending:
    """What sends the batches of all partitions; ``nudge`` is told where something was sent."""
    patience = how.request_timeout
    if len(ledgers) == 1:
        persistence = Persistence(stop, give_up_after=patience)
        submitter = Submitter(
            ledgers[0], asked, Recorder(ledgers[0]), persistence, permits, how=how
        )
        senders = Senders(permits, pulse.working(submitter.work), least=threads)
        return Sending(persistence, senders, submitter.run)
    turns = Turns(permits, nudge)
    senders = Senders(permits, pulse.working(turns.work), least=threads)
    persistences = [
        PersistenceInTurns(stop, patience, ledger.partition, turns, senders) for ledger in ledgers
    ]
    for ledger, persistence in zip(ledgers, persistences, strict=True):
        licence = turns.licence(ledger.partition)
        submitter = Submitter(ledger, asked, Recorder(ledger), persistence, licence, how=how)
        turns.add(submitter.work)
    return Sending(persistences[0], senders, None, turns)


class Sending:
    """The actor ``submit``, for all partitions. ``turns``: where there are several."""

    def __init__(
        self,
        persistence: Persistence,
        senders: Senders,
        run: Callable[[], None] | None,
        turns: Turns | None = None,
    ) -> None:
        self.persistence = persistence
        self.senders = senders
        self._run = run
        self._turns = turns

    def wake(self, partition: int = 0) -> None:
        """The actor: something of a partition may be ready to be sent."""
        if self._turns is not None:
            self._turns.wake(partition)
        self.senders.wake()

    def send(self, partition: int = 0) -> None:
        """Makes room in a full Redis, in this thread where that is possible."""
        if self._run is not None:
            self._run()
        else:
            self.wake(partition)
