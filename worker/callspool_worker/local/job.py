"""One run: the rows of files go into the queue, workers send them, until everything rests."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from callspool.errors import QueueFull
from callspool.identity import digester
from callspool.intake import IntakeError
from callspool_worker.local.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callspool.cli.progress import Progress
    from callspool.cli.spooling import Spooler
    from callspool.cli.target import Target
    from callspool.intake import Intake
    from callspool.ledger.readings import Readings, Summary

CHUNK = 500
"""Documents handed to the queue together."""

LOOK_SECONDS = 0.2
"""Seconds between two looks at how far the run is."""

SCAN_SECONDS = 2.0
"""Seconds between two looks at every document that is not at rest."""

API_PATIENCE = 60.0
"""Seconds without anything but unsent requests after which the API counts as unreachable."""


class End(Enum):
    """How a run ended."""

    AT_REST = "at rest"
    INTERRUPTED = "interrupted"
    API_UNREACHABLE = "API unreachable"


@dataclass(slots=True)
class _Movement:
    """Notices when nothing moves although it is tried."""

    since: float = field(default_factory=time.monotonic)
    seen: tuple[int, ...] = ()
    not_sent: int = 0

    def stands_still(self, summary: Summary, at_rest: int) -> bool:
        """Whether requests could not be sent for so long that the API counts as unreachable."""
        outcomes = dict(summary.submissions)
        not_sent = outcomes.pop("not_sent", 0)
        seen = (at_rest, *outcomes.values())
        if seen != self.seen or not_sent == 0:
            self.seen, self.not_sent, self.since = seen, not_sent, time.monotonic()
        return not_sent > self.not_sent and time.monotonic() - self.since > API_PATIENCE


class Job:
    """The work of a run, apart from the processes that do it.

    ``alone``: nobody else uses this ledger, so the run ends only when its queue is empty.
    ``max_waiting``: documents that may wait. ``keep_up`` is called between looks; it raises
    where the run cannot go on (no worker starts, the server is gone).
    """

    def __init__(
        self,
        intake: Intake,
        target: Target,
        readings: Readings,
        progress: Progress,
        keep_up: Callable[[], None],
        *,
        max_waiting: int,
        alone: bool,
    ) -> None:
        self.intake = intake
        self.envelope = target.envelope
        self.readings = readings
        self._progress = progress
        self._keep_up = keep_up
        self._max_waiting = max_waiting
        self._alone = alone
        self.tracker = Tracker(readings, readings.now_ms())
        self.before = readings.summary()
        self.fault: IntakeError | None = None
        """Why a file could not be read to its end; the rows before that go on."""
        self._next_look = 0.0
        self._next_scan = 0.0

    def do(self, spooler: Spooler) -> End:
        """Reads, enqueues and waits; Ctrl-C ends it early. Raises `CallspoolError`."""
        try:
            self._enqueue(spooler)
            return self._wait()
        except KeyboardInterrupt:
            return End.INTERRUPTED

    def _enqueue(self, spooler: Spooler) -> None:
        identity = digester(self.envelope.scope)
        try:
            for documents, ids in self._chunks():
                self._wait_for_room(spooler, len(documents))
                spooler.add(documents)
                self.tracker.add(map(identity, ids))
                self._look_now_and_then()
        except IntakeError as fault:
            self.fault = fault
        spooler.store()

    def _wait_for_room(self, spooler: Spooler, documents: int) -> None:
        """Waits while the queue is full of this run's own documents: its workers empty it."""
        while self.tracker.open + documents > max(self._max_waiting, documents):
            spooler.store()
            self._look()
            if self._only_resting():
                raise QueueFull(
                    f"{self.tracker.open} documents wait behind a closed gate, and no more than"
                    f" CALLSPOOL_MAX_WAITING ({self._max_waiting}) may"
                )
            time.sleep(LOOK_SECONDS / 4)

    def _chunks(self) -> Iterator[tuple[list[bytes], list[str]]]:
        documents: list[bytes] = []
        ids: list[str] = []
        fault: IntakeError | None = None
        try:
            for row in self.intake:
                if not row.good:
                    continue
                documents.append(row.raw)
                ids.append(row.document_id)
                if len(documents) == min(CHUNK, self._max_waiting):
                    yield documents, ids
                    documents, ids = [], []
        except IntakeError as broken:
            fault = broken
        if documents:
            yield documents, ids
        if fault is not None:
            raise fault

    def _wait(self) -> End:
        movement = _Movement()
        while True:
            self._look()
            if self._is_over():
                return End.AT_REST
            at_rest = sum(self.tracker.settled.values())
            if movement.stands_still(self.readings.summary(), at_rest):
                return End.API_UNREACHABLE
            time.sleep(LOOK_SECONDS)

    def _is_over(self) -> bool:
        if self._alone and self.readings.spooled_messages():
            return False
        return not self.tracker.open or self._only_resting()

    def _only_resting(self) -> bool:
        """Whether what is left waits behind a closed gate, or was refused by a worker."""
        if self.readings.spooled_messages():
            return False
        gates = self.readings.gates_before(self.envelope)
        if not gates and self._alone:
            # Nobody else counts here: the counts say it without a look at every document.
            found = self.readings.summary().documents
            return found["waiting"] + found["sending"] == 0
        if time.monotonic() < self._next_scan:
            return False
        self._next_scan = time.monotonic() + SCAN_SECONDS
        left = self.tracker.letters()
        return left["s"] + (0 if gates else left["w"]) == 0

    def _look_now_and_then(self) -> None:
        if time.monotonic() >= self._next_look:
            self._look()

    def _look(self) -> None:
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._keep_up()
        self.tracker.look()
        at_rest = len(self.tracker) - self.tracker.open
        self._progress.update(at_rest / max(self._expected(), 1), self._words)

    def _expected(self) -> float:
        """How many documents there will be, as far as the part of the files read so far tells."""
        size, read = self.intake.bytes_total(), self.intake.bytes_read
        if not size or not read or read >= size:
            return len(self.tracker)
        return len(self.tracker) * size / read

    def _words(self) -> str:
        settled = self.tracker.settled
        words = f"{self.intake.counts.read:,} rows read, {settled['c']:,} created"
        for letter, word in (("d", "in doubt"), ("x", "dead"), ("e", "expired")):
            if settled[letter]:
                words += f", {settled[letter]:,} {word}"
        return words
