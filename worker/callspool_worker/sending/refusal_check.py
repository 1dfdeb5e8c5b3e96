"""After a refusal: the space is read once before any of the batch is sent again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from callspool_worker.decisions.answers import Answered
from callspool_worker.decisions.decide import Bury, Decision, InDoubt, Isolate, Park
from callspool_worker.decisions.second_look import (
    MOST_SUSPECTS,
    RUNS_READ,
    Ours,
    Suspects,
    examine_runs,
    examine_tasks,
    may_hide_a_creation,
)
from callspool_worker.sending import body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callspool_ledger.writes import Ledger, Taken
    from callspool_worker.backoff import LedgerRetry
    from callspool_worker.decisions.answers import Answer

    Get = Callable[[str, tuple[str, ...], Mapping[str, str | int]], Answer]

TASKS_READ = 100
KNOWN_BEFORE_MS = 600_000
"""Milliseconds before an attempt from which on runs are asked for that are somebody's."""

OTHERS_KEPT = 1000
"""Runs of others that a process remembers."""

MAY_EXIST = "refused, and some of it may have been created"


class RefusalCheck:
    """Looks whether a refused batch exists in part. Raises as `LedgerRetry.until_answered`."""

    def __init__(self, ledger: Ledger, retry: LedgerRetry, get: Get) -> None:
        self._ledger = ledger
        self._retry = retry
        self._get = get
        self._others: dict[str, None] = {}

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
        found = self._look(taken, None if date is None else date - seconds)
        if found is None:
            return decision
        detail = getattr(decision, "detail", "")
        parks = decision if isinstance(decision, Park) else None
        refusal = decision if isinstance(decision, Isolate | Bury) else None
        return InDoubt("rejected", found.run_id, True, f"{MAY_EXIST}: {detail}", parks, refusal)

    def _look(self, taken: Taken, since: float | None) -> Ours | None:
        lane = taken.lane
        path = ("spaces", lane.space_token, "runs")
        listed = self._get(lane.account, path, {"page": 1, "page_size": RUNS_READ})
        found = examine_runs(listed, documents=taken.count, since=since)
        if not isinstance(found, Suspects):
            return found
        suspects = self._unknown(taken, found)
        if len(suspects) > MOST_SUSPECTS:
            return Ours()
        for run_id in suspects:
            tasks = self._get(
                lane.account, (*path, run_id, "tasks"), {"page": 1, "page_size": TASKS_READ}
            )
            is_ours = examine_tasks(tasks, run_id, word=self._word(taken), ids=self._ids(taken))
            if is_ours is not None:
                return is_ours
            self._remember(run_id)
        return None

    def _remember(self, run_id: str) -> None:
        """A run whose tasks are of others stays theirs."""
        self._others[run_id] = None
        while len(self._others) > OTHERS_KEPT:
            del self._others[next(iter(self._others))]

    def _unknown(self, taken: Taken, found: Suspects) -> list[str]:
        """The runs that the ledger does not know to be another attempt's."""
        space = f"{taken.lane.account}|{taken.lane.space_token}"
        since_ms = taken.at_ms - KNOWN_BEFORE_MS
        known = self._retry.until_answered(partial(self._ledger.known_runs, space, since_ms))
        others = self._others
        return [each for each in found.run_ids if each not in known and each not in others]

    def _word(self, taken: Taken) -> str | None:
        if not self._ledger.limits.mark_attempts:
            return None
        return body.mark(self._ledger.id, taken.attempt, taken.lane)

    def _ids(self, taken: Taken) -> list[str]:
        return body.document_ids(taken)
