"""One run: the rows of files go into the queue, workers send them, until everything rests."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from callspool.errors import QueueFull, QueueUnavailable
from callspool.request.identity import digester, number_digests
from callspool.request.raw_document import read_number
from callspool_ledger.errors import FREE_THE_DISK, WRITES_REFUSED
from callspool_ledger.reads.doubts import read_is_proving
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.held import read_held
from callspool_ledger.reads.summary import (
    read_clock,
    read_has_accepted,
    read_is_quiet,
    read_last_message,
    read_summary,
)
from callspool_ledger.reads.views import OUTCOMES
from callspool_operators.lists import IntakeError
from callspool_operators.local.tracking import REDIS_PATIENCE, Tracker, ask_until_answered
from callspool_operators.options.known_already import Newcomers
from callspool_operators.preparing.reading import chunks_of_newcomers, chunks_of_rows
from callspool_operators.terminal.wording import format_count, format_counts

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping

    from callspool_ledger.reads.reader import LedgerReader
    from callspool_ledger.reads.reading import Found, Reading
    from callspool_ledger.reads.summary import MessageId
    from callspool_ledger.reads.views import GateView, LedgerSummary
    from callspool_operators.lists import Intake
    from callspool_operators.options.target import SendTarget
    from callspool_operators.preparing.reading import Spooler
    from callspool_operators.terminal.screen import Progress

CHUNK = 500
"""Documents handed to the queue together."""

LOOK_SECONDS = 0.2
"""Seconds between two looks at how far the run is."""

SCAN_SECONDS = 2.0
"""Seconds between two looks at every document that is not at rest."""

API_PATIENCE = 60.0
"""Seconds without anything but failures after which the API counts as unreachable."""

FAILURES = ("not_sent", "server_error", "no_answer")


def words_of_calls(outcomes: Mapping[str, int]) -> str:
    """Returns how far calls are, for a bar of progress."""
    ended = sum(outcomes.values()) - outcomes.get("open", 0)
    words = format_counts({name: outcomes.get(name, 0) for name in OUTCOMES if name != "open"})
    return f"{ended:,} of {format_count(sum(outcomes.values()), 'call')} ended" + (
        f": {words}" if words else ""
    )


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

    def stands_still(self, summary: LedgerSummary, at_rest: int) -> bool:
        """Whether nothing but failures came for so long that the API counts as unreachable."""
        outcomes = dict(summary.submissions)
        failed = sum(outcomes.pop(name, 0) for name in FAILURES)
        is_down = any(gate.passing and gate.name.startswith("account:") for gate in summary.gates)
        seen = (at_rest, *outcomes.values())
        if seen != self.seen or not failed:
            self.seen, self.since = seen, time.monotonic()
        return is_down and time.monotonic() - self.since > API_PATIENCE


class Job:
    """The work of a run, apart from the processes that do it.

    ``alone``: no other process uses this ledger, so the run ends only when its queue is empty.
    ``max_waiting``: documents that may wait. ``keep_up`` is called between looks; it raises
    where the run cannot go on (no worker starts, the server is gone). ``new``: contacts that the
    ledger does not know yet, at most, and no others.
    """

    def __init__(
        self,
        intake: Intake,
        target: SendTarget,
        reader: LedgerReader,
        progress: Progress,
        keep_up: Callable[[], None],
        *,
        max_waiting: int,
        alone: bool,
        new: int | None = None,
    ) -> None:
        self.intake = intake
        self.envelope = target.envelope
        self.reader = reader
        self._progress = progress
        self._keep_up = keep_up
        self._max_waiting = max_waiting
        self._alone = alone
        self.newcomers = None if new is None else Newcomers(reader, target.envelope, new)
        self.tracker = Tracker(reader, self._ask(read_clock()))
        self.before = self._ask(read_summary())
        self.fault: IntakeError | None = None
        """Why a file could not be read to its end; the rows before that go on."""
        self._next_look = 0.0
        self._next_scan = 0.0
        self._room = 0
        self._in_doubt = 0
        self._is_refused = False
        self._last_message: MessageId | None = None
        self._were_accepted = False
        self._answered_at = time.monotonic()

    def _ask(self, reading: Reading[Found]) -> Found:
        return ask_until_answered(lambda: self.reader.ask(reading), self._keep_up)

    def do(self, spooler: Spooler) -> End:
        """Reads, enqueues and waits; Ctrl-C ends it early. Raises `CallspoolError`."""
        try:
            self._enqueue(spooler)
            return self._wait()
        except KeyboardInterrupt:
            return End.INTERRUPTED

    def _enqueue(self, spooler: Spooler) -> None:
        identity = digester(self.envelope.scope)
        if self.newcomers is not None:
            self._wait_for_acceptance()
        try:
            for documents, ids in self._chunks():
                numbers = number_digests(map(read_number, documents))
                self._wait_for_room(spooler, len(documents))
                spooler.add(documents)
                self.tracker.add(map(identity, ids), numbers)
                self._look_now_and_then()
        except IntakeError as fault:
            self.fault = fault
        spooler.store()
        self._last_message = self._ask(read_last_message())

    def _wait_for_acceptance(self) -> None:
        """Waits until workers have accepted what earlier runs left in the queue."""
        last = self._ask(read_last_message())
        while not self._ask(read_has_accepted(last)):
            self._look()
            time.sleep(LOOK_SECONDS / 4)

    def _wait_for_room(self, spooler: Spooler, documents: int) -> None:
        """Waits while the queue is full, since this run's workers empty it."""
        self._room -= documents
        if self._room >= 0:
            return
        spooler.store()
        while True:
            found = self._ask(read_summary())
            held = found.documents["waiting"] + found.spooled
            self._room = self._max_waiting - held - documents
            if self._room >= 0 or not held:
                return
            self._look()
            if ask_until_answered(self._nothing_moves, self._keep_up):
                raise QueueFull(
                    f"{held} documents wait behind a closed gate, and no more than"
                    f" CALLSPOOL_MAX_WAITING ({self._max_waiting}) may: see callspool status"
                )
            time.sleep(LOOK_SECONDS / 4)

    def _chunks(self) -> Iterator[tuple[list[bytes], list[str]]]:
        size = min(CHUNK, self._max_waiting)
        if self.newcomers is None:
            chunks = chunks_of_rows(self.intake, size)
        else:
            chunks = chunks_of_newcomers(self.intake, self.newcomers, size)
        for rows in chunks:
            yield [row.raw for row in rows], [row.document_id for row in rows]

    def _wait(self) -> End:
        movement = _Movement()
        while True:
            self._look()
            with suppress(QueueUnavailable):  # the next look tells whether it lasts
                if self._is_over():
                    return End.AT_REST
                at_rest = sum(self.tracker.settled.values())
                summary = self.reader.ask(read_summary())
                self._in_doubt = summary.documents["in_doubt"]
                if movement.stands_still(summary, at_rest):
                    return End.API_UNREACHABLE
            time.sleep(LOOK_SECONDS)

    def follow(self) -> End:
        """Waits until the calls of this run ended, or until Ctrl-C. Raises `CallspoolError`."""
        try:
            while True:
                self._keep_up()
                began = time.monotonic()
                outcomes = self._ask_outcomes()
                ended = outcomes.total() - outcomes["open"]
                share = ended / max(outcomes.total(), 1)
                self._progress.update(share, partial(words_of_calls, outcomes))
                if not outcomes["open"]:
                    return End.AT_REST
                time.sleep(max(LOOK_SECONDS, time.monotonic() - began))
        except KeyboardInterrupt:
            return End.INTERRUPTED

    def _ask_outcomes(self) -> Counter[str]:
        lane = self.envelope.lane_id
        found = ask_until_answered(
            lambda: self.tracker.standing(lane, anew=self.all_accepted), self._keep_up
        )
        return found.outcomes

    @property
    def all_accepted(self) -> bool:
        """Whether workers have accepted every message of this run."""
        if self._last_message is None:
            return False
        if not self._were_accepted:
            self._were_accepted = self.reader.ask(read_has_accepted(self._last_message))
        return self._were_accepted

    def _is_over(self) -> bool:
        return self.all_accepted and (not self.tracker.open or self._nothing_moves())

    def _nothing_moves(self) -> bool:
        """Whether what is left waits behind a closed gate, cannot be proven, or was refused."""
        if self._alone:
            empty = self.reader.ask(read_has_accepted(self.reader.ask(read_last_message())))
            accounts = [self.envelope.account]
            return (
                empty
                and self.reader.ask(read_is_quiet(accounts))
                and not self.reader.ask(read_is_proving(accounts))
                and not any(gate.passing for gate in self.reader.ask(read_gates()))
                and not any(held.bar.passing for held in self.reader.ask(read_held()))
            )
        if time.monotonic() < self._next_scan:
            return False
        self._next_scan = time.monotonic() + SCAN_SECONDS
        gates = self.gates_before()
        if any(gate.passing for gate in gates):
            return False
        left = self.tracker.letters()
        return left["s"] + left["d"] + (0 if gates else left["w"]) == 0

    def gates_before(self) -> list[GateView]:
        """Returns what keeps the documents of this run from being sent."""
        scope, lane = self.envelope.scope, self.envelope.lane_id
        gates = self._ask(read_gates())
        return [gate for gate in gates if gate.selector.covers(scope, lane)]

    def _look_now_and_then(self) -> None:
        if time.monotonic() >= self._next_look:
            self._look()

    def _look(self) -> None:
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._keep_up()
        try:
            self.tracker.look(anew=self.all_accepted)
            self._is_refused = self.reader.refuses_writes()
        except QueueUnavailable:
            if time.monotonic() - self._answered_at > REDIS_PATIENCE:
                raise
            return
        self._answered_at = time.monotonic()
        self._progress.update(self._share(), self._words)

    def _share(self) -> float | None:
        """Which share of all documents is at rest, as far as the part read so far tells."""
        at_rest, found = len(self.tracker) - self.tracker.open, max(len(self.tracker), 1)
        if self._last_message is not None:
            return at_rest / found
        size, read = self.intake.bytes_total(), self.intake.bytes_read
        return at_rest / found * read / size if size else None

    def _words(self) -> str:
        if self._is_refused:
            return f"waiting: {WRITES_REFUSED}: {FREE_THE_DISK}"
        settled = self.tracker.settled
        words = f"{self.intake.counts.read:,} rows read, {settled['c']:,} created"
        for letters, word in (("xX", "dead"), ("kK", "cancelled"), ("e", "expired")):
            if number := sum(settled[letter] for letter in letters):
                words += f", {number:,} {word}"
        if self._in_doubt:
            words += f", {self._in_doubt:,} in doubt: the space is read back"
        return words
