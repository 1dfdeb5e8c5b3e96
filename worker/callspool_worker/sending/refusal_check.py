"""After a refusal: the space is read once before any of the batch is sent again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from callspool_worker.decisions.answers import Answered, code_of
from callspool_worker.decisions.decide import Bury, Decision, InDoubt, Isolate, Park
from callspool_worker.decisions.second_look import (
    MAY_EXIST,
    MOST_SUSPECTS,
    Ours,
    Span,
    Suspects,
    examine_runs,
    examine_tasks,
    may_hide_a_creation,
    read_tasks,
    span_of,
)
from callspool_worker.sending import body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callspool_ledger.writes import Ledger, Taken
    from callspool_worker.backoff import LedgerRetry
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.decisions.second_look import Refused, TasksShown

    Get = Callable[[str, tuple[str, ...], Mapping[str, str | int]], Answer]

TASKS_READ = 100
KNOWN_BEFORE_MS = 600_000
"""Milliseconds before an attempt from which on runs are asked for that are somebody's."""

RUNS_KEPT = 500
"""Runs of which a process remembers what their tasks bear."""

SPACES_KEPT = 100
"""Spaces whose last look a process remembers."""

EVEN = 5.0
"""Seconds by which Redis' clock may differ from that of this process since a look."""

SHARED = 5.0
"""Seconds by which attempts may have begun earlier that a look is to serve as well."""


class _RefusedAttempt(NamedTuple):
    number: int
    taken_ms: int
    documents: int
    is_marked: bool


@dataclass(slots=True)
class _SpaceRead:
    """The newest runs of a space as a look found them.

    ``at_ms``: the time of a take before it, by Redis' clock; ``at``: the same by this process'.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    at_ms: int = 0
    at: float = 0.0
    span: Span = field(default_factory=partial(Span, None))
    runs: Answer | None = None

    def read_for(self, taken: Taken, refused: Refused, span: Span) -> Answer | None:
        """Returns what was read since a batch was refused, if it may show what that created."""
        elapsed = (taken.at_ms - self.at_ms) / 1000
        is_even = elapsed >= 0 and abs(time.monotonic() - self.at - elapsed) < EVEN
        begin = self.span.begin or 0.0
        is_deep = begin <= (span.begin or 0.0)
        is_earlier = self.at_ms < refused.refused_ms
        return self.runs if is_even and is_deep and not is_earlier else None

    def keep(self, taken: Taken, span: Span, runs: Answer) -> None:
        """Keeps what was read, unless it has to be read again."""
        is_read = isinstance(runs, Answered) and code_of(runs) == 200
        self.at_ms, self.at, self.span = taken.at_ms, time.monotonic(), span
        self.runs = runs if is_read else None


class RefusalCheck:
    """Looks whether a refused batch exists in part. Raises as `LedgerRetry.until_answered`.

    One for all threads of a process.
    """

    def __init__(self, ledger: Ledger, retry: LedgerRetry, get: Get) -> None:
        self._ledger = ledger
        self._retry = retry
        self._get = get
        self._tasks: dict[str, TasksShown] = {}
        self._spaces: dict[str, _SpaceRead] = {}
        self._lock = threading.Lock()

    def decide_again(
        self, taken: Taken, answer: Answer, decision: Decision, seconds: float
    ) -> Decision:
        """Returns the decision, or a doubt where some of the batch may have been created.

        ``seconds``: how long the request took.
        """
        if not may_hide_a_creation(answer, decision):
            return decision
        assert isinstance(answer, Answered)
        date = answer.server_date
        since = None if date is None else date - seconds
        span = span_of(taken.at_ms, since, self._read_known(taken, taken.at_ms))
        is_marked = self._ledger.limits.mark_attempts
        attempt = _RefusedAttempt(taken.attempt, taken.at_ms, taken.count, is_marked)
        found = self._judge(taken, attempt, self._read_runs(taken, span), span)
        if found is None:
            return decision
        detail = getattr(decision, "detail", "")
        parks = decision if isinstance(decision, Park) else None
        refusal = decision if isinstance(decision, Isolate | Bury) else None
        return InDoubt("rejected", found.run_id, True, f"{MAY_EXIST}: {detail}", parks, refusal)

    def look_into(
        self, taken: Taken, refused: Refused, *, anew: bool
    ) -> tuple[Answer, Ours | None]:
        """Looks into an earlier refusal of a batch: returns what the space answered, and what that
        shows.

        Batches of a space share a look, unless it is to be made ``anew``.
        """
        space = self._space(taken)
        with space.lock:
            known = self._read_known(taken, refused.taken_ms)
            span = span_of(refused.taken_ms, refused.since, known)
            runs = None if anew else space.read_for(taken, refused, span)
            if runs is None:
                since = None if refused.since is None else refused.since - SHARED
                deeper = span_of(refused.taken_ms - int(SHARED * 1000), since, known)
                runs = self._read_runs(taken, deeper)
                space.keep(taken, deeper, runs)
            about = refused.attempt, refused.taken_ms, refused.documents
            attempt = _RefusedAttempt(*about, refused.is_marked)
            return runs, self._judge(taken, attempt, runs, span._replace(runs=space.span.runs))

    def _space(self, taken: Taken) -> _SpaceRead:
        name = f"{taken.lane.account}|{taken.lane.space_token}"
        with self._lock:
            found = self._spaces.pop(name) if name in self._spaces else _SpaceRead()
            self._spaces[name] = found
            while len(self._spaces) > SPACES_KEPT:
                del self._spaces[next(iter(self._spaces))]
            return found

    def _read_runs(self, taken: Taken, span: Span) -> Answer:
        path = ("spaces", taken.lane.space_token, "runs")
        return self._get(taken.lane.account, path, {"page": 1, "page_size": span.runs})

    def _judge(
        self, taken: Taken, attempt: _RefusedAttempt, runs: Answer, span: Span
    ) -> Ours | None:
        """Returns what of an attempt exists, or may."""
        found = examine_runs(runs, documents=attempt.documents, span=span)
        if not isinstance(found, Suspects):
            return found
        known = self._read_known(taken, attempt.taken_ms)
        suspects = [each for each in found.run_ids if each not in known]
        if len(suspects) > MOST_SUSPECTS:
            return Ours()
        word, ids = None, body.document_ids(taken)
        if attempt.is_marked:
            word = body.mark(self._ledger.id, attempt.number, taken.lane)
        each = (
            examine_tasks(
                self._read_tasks(taken, run_id),
                run_id,
                word=word,
                ids=ids,
                documents=attempt.documents,
            )
            for run_id in suspects
        )
        return next((one for one in each if one is not None), None)

    def _read_tasks(self, taken: Taken, run_id: str) -> TasksShown | None:
        """What the first tasks of a run bear, which stays so."""
        shown = self._tasks.get(run_id)
        if shown is None:
            path = ("spaces", taken.lane.space_token, "runs", run_id, "tasks")
            query = {"page": 1, "page_size": TASKS_READ}
            shown = read_tasks(self._get(taken.lane.account, path, query))
        if shown is not None:
            with self._lock:
                self._tasks[run_id] = shown
                while len(self._tasks) > RUNS_KEPT:
                    del self._tasks[next(iter(self._tasks))]
        return shown

    def _read_known(self, taken: Taken, taken_ms: int) -> dict[str, float]:
        """The runs that the ledger knows to be of an attempt, the oldest first."""
        space = f"{taken.lane.account}|{taken.lane.space_token}"
        since_ms = taken_ms - KNOWN_BEFORE_MS
        return self._retry.until_answered(partial(self._ledger.known_runs, space, since_ms))
