"""Follows the documents of one run through a ledger that others use too, and reports on them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import comes_from_passing
from callspool.request.identity import DIGEST_BYTES, NUMBER_BYTES
from callspool_ledger.reads.campaigns import cap_bar, read_bars
from callspool_ledger.reads.held import read_held
from callspool_ledger.reads.lookup import read_batches, read_places
from callspool_ledger.reads.next_step import CANCELLED
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.selectors import whole_lane
from callspool_ledger.writes import LedgerUnavailable
from callspool_operators.terminal.report import NotCreated, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.lookup import Place
    from callspool_ledger.reads.reader import LedgerReader
    from callspool_operators.local.job import Job


REDIS_PATIENCE = 60.0
"""Seconds without an answer of Redis after which the run gives up looking."""

PAUSE = 0.2
"""Seconds between two tries."""

Found = TypeVar("Found")


def ask_until_answered(
    step: Callable[[], Found],
    between: Callable[[], object] = lambda: None,
    patience: float | None = None,
) -> Found:
    """Returns what the step returns, once Redis answers; it must be safe to repeat.

    ``between`` is called between two tries. Raises the step's error at once where waiting does not
    help, else after ``patience`` seconds: `REDIS_PATIENCE` for a Redis that has answered before.
    """
    give_up_at = time.monotonic() + (REDIS_PATIENCE if patience is None else patience)
    while True:
        try:
            return step()
        except (QueueUnavailable, LedgerUnavailable) as error:
            if not comes_from_passing(error) or time.monotonic() > give_up_at:
                raise
        between()
        time.sleep(PAUSE)


SLICE = 2000
"""Identities that are looked up together."""

RESTING = frozenset("hcxXkKe")
"""Letters of documents with which nothing happens any more unless somebody makes it happen."""

HELD = "b"
"""Stands for documents that wait, and whose campaign does not let them be sent for now."""

ANEW = frozenset("xXKe")
"""Those whose identity may be accepted anew by a message that is still on its way."""


@dataclass(slots=True)
class RunStanding:
    """Where a run's documents are: by state, and beside it what was known before.

    ``duplicate``: the API had them before this run began, the first since ``known_since``.
    ``earlier``: those among ``states`` that an earlier run had brought, and that were not created.
    ``suppressed``: their numbers must not be called. ``cancelled_before``: an operator cancelled
    them, in a campaign for which that is final.
    ``conflict``: their ids are known with other numbers. ``unknown``: the ledger does not know
    them: still spooled, or refused by a worker.
    ``elsewhere``: those that wait in another lane than the run's, with an earlier request's pilot,
    context or schedule. ``outcomes``: what became of the calls of created ones. ``reasons``: why
    documents are dead, in doubt or waiting, with how many.
    """

    states: Counter[str] = field(default_factory=Counter)
    duplicate: int = 0
    earlier: int = 0
    conflict: int = 0
    suppressed: int = 0
    cancelled_before: int = 0
    known_since: datetime | None = None
    unknown: int = 0
    elsewhere: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)


class Tracker:
    """The identities of a run's documents, 12 bytes each, and 4 bytes of their numbers.

    ``began_ms``: when the run began, by Redis' clock: what was created earlier is a duplicate.
    """

    def __init__(self, reader: LedgerReader, began_ms: int) -> None:
        self._reader = reader
        self._began_ms = began_ms
        self._all = bytearray()
        self._open = bytearray()
        self._numbers = bytearray()
        self.settled: Counter[str] = Counter()
        """Letters of the documents that were seen at rest."""

    def __len__(self) -> int:
        return len(self._all) // DIGEST_BYTES

    @property
    def open(self) -> int:
        """Documents that were not seen at rest yet."""
        return len(self._open) // DIGEST_BYTES

    def add(self, digests: Iterable[bytes], numbers: Iterable[bytes]) -> None:
        """Follows some more documents: their identities, and digests of their numbers."""
        self._numbers += b"".join(numbers)
        joined = b"".join(digests)
        self._all += joined
        self._open += joined

    def look(self, *, anew: bool, slices: int = 5) -> None:
        """Looks after the documents that are followed longest; a bounded number of them.

        ``anew``: all messages are accepted, so that nothing is accepted anew any more.
        """
        resting = RESTING if anew else RESTING - ANEW
        for _ in range(min(slices, -(-self.open // SLICE))):
            digests = [*_digests(self._open[: SLICE * DIGEST_BYTES])]
            still_open = bytearray()
            for digest, place in zip(digests, self._reader.ask(read_places(digests)), strict=True):
                if place is not None and place.letter in resting:
                    self.settled[place.letter] += 1
                else:
                    still_open += digest
            self._open[: SLICE * DIGEST_BYTES] = still_open
            # A lane is first in, first out: behind documents that wait, others do too.
            if still_open:
                return

    def letters(self) -> Counter[str]:
        """The letters of all documents that were not seen at rest; "" for unknown ones, and `HELD`
        for those that wait for a later hour by their campaign.
        """
        found: Counter[str] = Counter()
        for digests in _slices(self._open):
            places = self._reader.ask(read_places(digests))
            found.update(place.letter if place else "" for place in places)
        if found["w"] and self._reader.ask(read_held()):
            for digests in _slices(self._open):
                held = self._count_held(digests)
                found[HELD] += held
                found["w"] -= held
        return found

    def _count_held(self, digests: Sequence[bytes]) -> int:
        """How many of these documents wait behind a bar that does not open before long."""
        places = self._reader.ask(read_places(digests))
        waiting = Counter(place.batch for place in places if place and place.letter == "w")
        batches = self._reader.ask(read_batches(sorted(waiting)))
        bars = self._reader.ask(read_bars(sorted({batch.lane for batch in batches.values()})))
        return sum(
            waiting[number]
            for number, batch in batches.items()
            if cap_bar(batch) or (batch.lane in bars and not bars[batch.lane].passing)
        )

    def standing(self, lane: str, *, anew: bool) -> RunStanding:
        """Returns where all documents are now. ``lane``: the one to which the run sends.

        ``anew``: all messages are accepted, as in `look`.
        """
        standing, asked = RunStanding(), _each_of(self._numbers, NUMBER_BYTES)
        waiting: Counter[str] = Counter()
        for digests in _slices(self._all):
            places = self._reader.ask(read_places(digests))
            numbers = {place.batch for place in places if place}
            batches = self._reader.ask(read_batches(sorted(numbers)))
            for place, number in zip(places, asked, strict=False):
                batch = batches.get(place.batch) if place else None
                if place is None or batch is None:
                    standing.unknown += 1
                elif batch.has_other_number(place.place, number):
                    is_on_its_way = place.letter in ANEW and not anew
                    standing.unknown += is_on_its_way
                    standing.conflict += not is_on_its_way
                else:
                    self._count(standing, place, batch)
                    if place.letter == "w" and (bar := cap_bar(batch)):
                        standing.reasons["waiting", bar.reason] += 1
                        standing.elsewhere += whole_lane(batch.lane) != lane
                    elif place.letter == "w":
                        waiting[batch.lane] += 1
                        standing.elsewhere += whole_lane(batch.lane) != lane
        for waits_in, bar in self._reader.ask(read_bars(sorted(waiting))).items():
            standing.reasons["waiting", bar.reason] += waiting[waits_in]
        return standing

    def _count(self, standing: RunStanding, place: Place, batch: BatchEntry) -> None:
        if place.letter == "c" and batch.created_ms(place.place) < self._began_ms:
            standing.duplicate += 1
            since = datetime.fromtimestamp(batch.created_ms(place.place) / 1000, UTC)
            standing.known_since = min(standing.known_since or since, since)
            return
        if why := batch.suppression(place.place) if place.letter == "K" else "":
            standing.suppressed += 1
            standing.reasons["suppressed", why.removeprefix("suppressed: ")] += 1
            return
        if place.letter == "k" and batch.accepted_ms(place.place) < self._began_ms:
            standing.cancelled_before += 1
            return
        standing.states[place.state] += 1
        if place.letter == "c":
            standing.outcomes[batch.outcome(place.place) or "lost_sight"] += 1
        standing.earlier += batch.accepted_ms(place.place) < self._began_ms
        if place.letter == "k":
            standing.reasons[place.state, CANCELLED] += 1
        elif place.letter in "dhxw" and batch.reason and not cap_bar(batch):
            standing.reasons[place.state, batch.held or batch.reason] += 1


def _digests(joined: bytes | bytearray) -> Iterator[bytes]:
    return _each_of(joined, DIGEST_BYTES)


def _each_of(joined: bytes | bytearray, size: int) -> Iterator[bytes]:
    for at in range(0, len(joined), size):
        yield bytes(joined[at : at + size])


def _slices(joined: bytes | bytearray) -> Iterator[list[bytes]]:
    for at in range(0, len(joined), SLICE * DIGEST_BYTES):
        yield [*_digests(joined[at : at + SLICE * DIGEST_BYTES])]


REFUSED_BY_WORKER = "refused by a worker (callspool invalid tells why)"


def report_of(
    job: Job,
    enqueued: int,
    seconds: float,
    where: str,
    again: str,
    row_notes: Sequence[str] = (),
) -> Report:
    """Returns the report of a run that has ended, one way or another.

    ``enqueued``: documents that the queue certainly took. Raises `QueueUnavailable`.
    """
    reader, counts = job.reader, job.intake.counts
    standing = job.tracker.standing(job.envelope.lane_id, anew=job.all_accepted)
    after = reader.ask(read_summary())
    # Rows that were read but not enqueued any more do not count: the next run reads them again.
    unknown = max(0, standing.unknown - (len(job.tracker) - enqueued))
    spooled = 0 if job.all_accepted else unknown
    refused = unknown - spooled
    states = Counter(standing.states)
    states["waiting"] += spooled
    invalid_reasons = Counter(job.intake.faults)
    if refused:
        invalid_reasons[REFUSED_BY_WORKER] += refused
    gates = after.gates if states["waiting"] else []
    before_these = job.gates_before() if gates else []
    accepted = states.total()
    passed_over = job.newcomers.known if job.newcomers else 0
    duplicate = counts.duplicate + standing.duplicate + standing.cancelled_before + passed_over
    invalid = counts.invalid + refused
    documents = {
        "read": accepted + duplicate + invalid + standing.conflict + standing.suppressed,
        "accepted": accepted,
        "earlier": standing.earlier,
        "duplicate": duplicate,
        "invalid": invalid,
        "conflict": standing.conflict,
        "suppressed": standing.suppressed,
        **states,
    }
    before = job.before
    return Report(
        documents=documents,
        submissions={
            outcome: number - before.submissions.get(outcome, 0)
            for outcome, number in after.submissions.items()
        },
        outcomes=standing.outcomes,
        runs=after.runs - before.runs,
        seconds=seconds,
        invalid_reasons=invalid_reasons,
        not_created=[
            NotCreated(state, reason, number)
            for (state, reason), number in standing.reasons.items()
        ],
        gates=gates,
        paused=[gate for gate in before_these if gate.kind == "paused"],
        handed_over=standing.duplicate + passed_over,
        handed_over_since=standing.known_since,
        cancelled_before=standing.cancelled_before,
        row_notes=row_notes,
        waiting_elsewhere=standing.elsewhere,
        where=where,
        again=again,
    )
