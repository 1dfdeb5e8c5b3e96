"""How this process proves, and what a look asks of a space: its batches in doubt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callspool.request.identity import read_document_ids
from callspool_ledger.keys import attempt_word
from callspool_worker.proving.records import Question, RefusedWith

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.writes import Ledger, SpaceLook
    from callspool_worker.proving.records import Finding, RunRead


LAG = 60.0
"""Seconds for which nothing has to change where a run is listed and none of its tasks is."""

SHORTEST_GAP, LONGEST_GAP = 10.0, 60.0
"""Seconds: more than between any two looks as they are planned."""


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """How this process proves.

    ``accounts``: those whose spaces it can read. ``quiet`` and ``quiet_answered``: seconds without
    change before a document counts as missing, the latter where the API itself answered; of use
    only for takes that do not say it themselves.
    ``resend_unproven``: what is decided where reading back is not possible. ``dedupe_window``:
    seconds for which documents that Redis forgot are remembered. ``lag``: seconds by which what is
    listed may lag where that shows.
    """

    accounts: tuple[str, ...]
    quiet: float
    quiet_answered: float
    max_attempts: int
    resend_unproven: bool
    dedupe_window: float
    lag: float = LAG

    def quiet_of(self, question: Question) -> float:
        """Returns the quiet period of an attempt: what its take says, else what is set here."""
        if question.quiet is not None:
            return question.quiet
        return self.quiet_answered if question.answered else self.quiet

    def quiet_for(self, question: Question, finding: Finding) -> float:
        """Returns the quiet period in view of what was found."""
        quiet = self.quiet_of(question)
        return max(quiet, self.lag) if finding.lags else quiet


def gap_of(quiet: float) -> float:
    """Returns the seconds between two looks after which nobody knows what was between them."""
    return min(quiet + SHORTEST_GAP, LONGEST_GAP)


@dataclass(frozen=True, slots=True)
class LookTime:
    """When a look began, by Redis' clock, and how long ago that is."""

    space: SpaceLook
    _begun: float = field(default_factory=time.monotonic)

    @property
    def begin(self) -> float:
        """Seconds since 1970 by Redis' clock: nothing was read before."""
        return self.space.at_ms / 1000

    def seconds(self) -> float:
        """Returns the seconds since the look began, by a clock that never jumps."""
        return time.monotonic() - self._begun

    def now(self) -> float:
        """Redis' time in seconds, as far as this process can tell."""
        return self.begin + self.seconds()

    def failing(self) -> float:
        """Returns the seconds for which the space could not be read, or not whole."""
        return self.now() - (self.space.failing_ms or self.space.at_ms) / 1000


EARLIER_MS = 600_000
"""Milliseconds before an attempt in which earlier ones may have begun that are asked about, too."""


def question_of(
    ledger_id: str,
    number: int,
    entry: BatchEntry,
    documents: Sequence[bytes],
    is_misled: Callable[[int, str | None], bool] = lambda _attempt, _run_id: False,
) -> Question | None:
    """Returns what is to be proven of a batch's last attempt; None if nothing of it is in doubt.

    ``is_misled``: whether the run that its answer named is another attempt's. Such an answer says
    nothing about this request, which may still be under way, nor about clocks.
    """
    if entry.phase != "doubt" or len(documents) != len(entry.states):
        return None
    asked = entry.question
    if is_misled(entry.attempt, asked.get("run_id")):
        asked = {"suspect": asked.get("suspect", "")}
    before = [
        line
        for line in entry.history
        if line.attempt != entry.attempt and line.taken_ms >= entry.taken_ms - EARLIER_MS
    ]
    marked = entry.is_marked and bool(before)
    quiet_ms = entry.quiet_ms(answered=bool(asked.get("answered")))
    return Question(
        batch=number,
        attempt=entry.attempt,
        seal=entry.seal,
        lane_id=entry.lane,
        places=sent_places(entry, documents),
        open=frozenset(place for place, letter in enumerate(entry.states) if letter == "d"),
        mark=attempt_word(ledger_id, entry.attempt) if entry.is_marked else None,
        run_id=asked.get("run_id"),
        answered=bool(asked.get("answered")),
        sent_ms=entry.taken_ms,
        since_ms=entry.doubted_ms,
        tries=entry.tries,
        quiet=None if quiet_ms is None else quiet_ms / 1000,
        size=len(entry.states),
        own_runs=entry.runs_of(entry.attempt),
        decided=frozenset(
            place
            for place, letter in enumerate(entry.states)
            if letter == "-" or (letter == "c" and entry.word(place))
        ),
        held=entry.held,
        suspect=asked.get("suspect", ""),
        earlier={attempt_word(ledger_id, line.attempt): line.attempt for line in before}
        if marked
        else {},
        clock_ahead=date - entry.doubted_ms / 1000 if (date := asked.get("server_date")) else None,
        first_ms=min(line.taken_ms for line in before) if marked else None,
        refusal=RefusedWith(**noted) if (noted := asked.get("refusal")) else None,
    )


def sent_places(entry: BatchEntry, documents: Sequence[bytes]) -> Mapping[str, int]:
    """Returns the ids of the documents that a batch's last attempt sent, with their places."""
    places = [at for at in range(len(documents)) if entry.was_sent(entry.attempt, at)]
    ids = read_document_ids(documents[place] for place in places)
    return dict(zip(ids, places, strict=True))


BATCHES_AT_ONCE = 100


def sent_elsewhere(
    ledger: Ledger, space: SpaceLook, questions: Sequence[Question], runs: Sequence[RunRead]
) -> Mapping[int, frozenset[str]]:
    """For each question's batch, the documents in unmarked runs that other batches sent, too.

    Those in doubt and those under way count, after the runs were read: a worker that made
    one of these runs is among them, or has told the ledger that it is its own. Where an operator
    confirmed documents of the space without naming their run, any run may be that one for attempts
    that began before.
    """
    shown = frozenset(
        name
        for run in runs
        if all(task.mark is None for task in run.tasks)
        for task in run.tasks
        for name in task.names
    )
    if not shown:
        return {question.batch: frozenset() for question in questions}
    vouched_ms = _read_vouched(ledger, space)
    senders: dict[str, set[int]] = {}
    for number, ids in _open(ledger, space, shown):
        for one in ids:
            senders.setdefault(one, set()).add(number)
    return {
        question.batch: shown
        if question.sent_ms < vouched_ms
        else frozenset(one for one, who in senders.items() if who - {question.batch})
        for question in questions
    }


def _read_vouched(ledger: Ledger, space: SpaceLook) -> int:
    """When an operator confirmed documents of the space without naming their run; 0 if never."""
    (found,) = ledger.run_commands([("HGET", ledger.keys.vouched, space.key)])
    return int(found) if isinstance(found, bytes) else 0


def _open(
    ledger: Ledger, space: SpaceLook, shown: frozenset[str]
) -> list[tuple[int, frozenset[str]]]:
    """The batches that are under way or in doubt, each with those of the documents that it sent."""
    under_way = [int(held.partition(":")[0]) for held in ledger.sending().values()]
    numbers = list(dict.fromkeys([*under_way, *ledger.in_doubt(space.key)]))
    sent = []
    for at in range(0, len(numbers), BATCHES_AT_ONCE):
        found = ledger.batches(numbers[at : at + BATCHES_AT_ONCE])
        spaces = ledger.spaces_of({entry.lane for entry, _ in found.values()})
        sent += [
            (number, shown & sent_places(entry, documents).keys())
            for number, (entry, documents) in found.items()
            if f"{entry.account}|{spaces.get(entry.lane, '')}" == space.key
            and len(documents) == len(entry.states)
        ]
    return sent
