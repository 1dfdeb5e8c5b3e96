"""After Redis restarted or failed over: what was sent in the moments that it forgot is found again.

A take that was forgotten makes documents look as if they waited although they were sent. So a
space sends nothing until its runs since then were read back: what is found there is recorded, and
what the ledger does not know any more is kept, in case it is accepted once more.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from callspool.request.identity import digester, scope_tag
from callspool_ledger.guard import CallsAsked
from callspool_ledger.reads.lookup import read_batches, read_places
from callspool_ledger.writes.records import SUSPECT
from callspool_worker.events.attempt_events import recalled_event
from callspool_worker.events.event import emit_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from callspool.request.identity import Scope
    from callspool_ledger.guard import Guard
    from callspool_ledger.writes import Ledger, SpaceLook
    from callspool_worker.proving.api_lists import SpaceReader
    from callspool_worker.proving.look_clock import LookClock
    from callspool_worker.proving.records import RunSeen, TaskSeen


MOST_ASKED = 3
"""Runs of ours that are read to learn whether the API gives marks back, at most."""


@dataclass(frozen=True, slots=True)
class SpaceReadBack:
    """What reading a space back found: documents that are known, and strays.

    ``observation`` changes whenever something there does. ``lags``: a run that may be ours lists
    fewer tasks than it has.
    """

    documents: int
    strays: int
    observation: str
    lags: bool


class ForgottenTakes:
    """Reads a space back from some moment on. Raises `Unreadable` and `LedgerUnavailable`.

    ``known``: runs that the ledger knows to be somebody's. ``now`` tells Redis' time in seconds.
    ``window``: seconds for which documents that nobody knows are kept. ``guard``: counts the calls
    that are found, which Redis may have forgotten as well.
    """

    def __init__(
        self,
        ledger: Ledger,
        space: SpaceLook,
        reader: SpaceReader,
        known: Mapping[str, float],
        clock: LookClock,
        now: Callable[[], float],
        window: float,
        guard: Guard | None = None,
    ) -> None:
        self._ledger = ledger
        self._space = space
        self._reader = reader
        self._known = known
        self._clock = clock
        self._now = now
        self._window = window
        self._guard = guard
        self._ours = f"{ledger.id}-"
        self._strays = 0
        self._is_whole = True

    def make(self, since_ms: int) -> SpaceReadBack:
        """Records what the API has from ``since_ms`` (Redis' clock) on."""
        scopes = self._ledger.scopes_of(self._space.account, self._space.space_token)
        found, parts, lags = 0, [], False
        runs = self._runs(since_ms)
        unmarked: list[tuple[RunSeen, list[TaskSeen]]] = []
        marked = [0.0]
        for run in runs:
            if run.run_id in self._known:
                parts.append(f"{run.run_id}:{run.batch_count}")
                continue
            tasks, growing = self._reader.tasks(run.run_id, whole=self._may_be_ours)
            is_whole = not growing and len(tasks) >= (run.batch_count or 0)
            lags |= not is_whole and (not tasks or self._may_be_ours(tasks))
            parts.append(f"{run.run_id}:{len(tasks)}")
            if any(map(self._is_ours, tasks)):
                marked.append(run.moment or 0.0)
            elif tasks and all(task.mark is None for task in tasks):
                unmarked.append((run, tasks))
            found += self._recall(run.run_id, tasks, scopes, is_whole=is_whole)
        if self._ledger.limits.mark_attempts and not self._space.is_first_ledger:
            self._suspect(unmarked, runs, max(marked))
        observation = hashlib.blake2b("\n".join(sorted(parts)).encode(), digest_size=8).hexdigest()
        return SpaceReadBack(found, self._strays, observation, lags)

    def _suspect(
        self,
        unmarked: Sequence[tuple[RunSeen, list[TaskSeen]]],
        runs: Sequence[RunSeen],
        marked_till: float,
    ) -> None:
        """Keeps documents of runs without a mark, which may be ours: they are held when taken.

        They are others' where the API gives marks back for a run of ours that is no older.
        """
        newest = max((run.moment or math.inf for run, _ in unmarked), default=0.0)
        later = [run for run in runs if run.run_id in self._known and (run.moment or 0.0) >= newest]
        for run in sorted(later, key=lambda run: run.moment or 0.0, reverse=True)[:MOST_ASKED]:
            if newest > marked_till and any(map(self._is_ours, self._first_tasks(run.run_id))):
                marked_till = run.moment or 0.0
        for run, tasks in unmarked:
            if (run.moment or math.inf) > marked_till:
                ids = {task.document_id: task.task_id for task in tasks if task.document_id}
                self._keep(run.run_id, 0, SUSPECT, ids)
                self._count(self._word(run.run_id), "", [task.numbers for task in tasks], ())

    def _first_tasks(self, run_id: str) -> list[TaskSeen]:
        return self._reader.tasks(run_id, whole=lambda _: False)[0]

    def _runs(self, since_ms: int) -> list[RunSeen]:
        found: dict[str, RunSeen] = {}
        for page in self._reader.runs():
            found.update((run.run_id, run) for run in page)
            self._clock.see(page, self._now(), self._reader.server_date)
            if self._clock.is_newest_first and self._clock.is_past(page[-1], since_ms):
                break
        return [run for run in found.values() if not self._clock.is_past(run, since_ms)]

    def _may_be_ours(self, first_page: Sequence[TaskSeen]) -> bool:
        if self._space.is_first_ledger and self._ledger.limits.mark_attempts:
            return any(map(self._is_ours, first_page))  # no other ledger is known of
        return any(task.mark is None or self._is_ours(task) for task in first_page)

    def _is_ours(self, task: TaskSeen) -> bool:
        """Whether a mark says that a task is ours, or of a ledger that was here before this one."""
        if task.mark is None:
            return False
        return task.mark.startswith(self._ours) or self._space.is_new_ledger

    def _recall(
        self,
        run_id: str,
        tasks: Iterable[TaskSeen],
        scopes: Sequence[Scope],
        *,
        is_whole: bool,
    ) -> int:
        by_attempt: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        calls: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        for task in tasks:
            if self._is_ours(task) or not (task.mark or self._ledger.limits.mark_attempts):
                calls[task.mark or "", task.scope_tag or ""].append(task.numbers)
            if task.document_id and self._is_ours(task):
                owner = task.mark or "", task.scope_tag or ""
                by_attempt[owner].setdefault(task.document_id, task.task_id)
            elif task.document_id and task.mark is None and not self._ledger.limits.mark_attempts:
                by_attempt["", ""].setdefault(task.document_id, task.task_id)
        self._is_whole = is_whole
        for (mark, tag), documents in calls.items():
            self._count(mark or self._word(run_id), tag, documents, scopes)
        return sum(
            self._recall_attempt(run_id, mark, tag, ids, scopes)
            for (mark, tag), ids in by_attempt.items()
        )

    def _word(self, run_id: str) -> str:
        return f"{self._ours}{run_id}"  # of an attempt that no mark names

    def _count(
        self, token: str, tag: str, documents: Sequence[bytes], scopes: Sequence[Scope]
    ) -> None:
        """Counts the calls of one attempt for caps, if they are not counted."""
        if self._guard is None or not self._guard.is_used:
            return
        own = [scope.campaign for scope in scopes if not tag or scope_tag(scope) == tag]
        made = CallsAsked(self._space.account, own[0] if own else "", token)
        self._guard.count(made, documents)

    def _recall_attempt(
        self, run_id: str, mark: str, tag: str, ids: Mapping[str, str], scopes: Sequence[Scope]
    ) -> int:
        """Settles the documents of one attempt; the number of those that were known."""
        own = [scope for scope in scopes if not tag or scope_tag(scope) == tag]
        attempt = _attempt_of(mark) if mark.startswith(self._ours) else 0
        left = dict(ids)
        known = 0
        for scope in own:
            for number, placed in self._places(scope, left).items():
                known += len(placed)
                self._settle(run_id, attempt, number, placed)
        if left and tag:
            self._keep(run_id, attempt, tag, left)
        return known

    def _places(self, scope: Scope, ids: dict[str, str]) -> dict[int, dict[int, str]]:
        """Where documents are: batch → place → task id; they are taken out of ``ids``."""
        named = list(ids)
        identity = digester(scope)
        places = self._ledger.read(read_places([identity(one) for one in named]))
        found: dict[int, dict[int, str]] = defaultdict(dict)
        for one, place in zip(named, places, strict=True):
            if place is not None:
                found[place.batch][place.place] = ids.pop(one)
        return found

    def _settle(self, run_id: str, attempt: int, number: int, placed: Mapping[int, str]) -> None:
        entries = self._ledger.read(read_batches([number]))
        if number not in entries:
            return
        states = entries[number].states
        # Without a mark only what seems never to have been sent can be the forgotten attempt's.
        tasks = {
            place: placed[place]
            for place in sorted(placed)
            if (states[place] != "c" if attempt else states[place] == "w")
        }
        if not tasks:
            return
        mask = "".join("1" if place in tasks else "0" for place in range(len(states)))
        step = self._ledger.calls.recall(
            number,
            attempt or self._ledger.new_attempt(),
            run_id=run_id,
            ids=list(tasks.values()),
            places=mask,
            is_whole=self._is_whole,
        )
        self._ledger.run(
            [
                emit_after(
                    step, partial(recalled_event, self._space.account, number, attempt, run_id)
                )
            ]
        )

    def _keep(self, run_id: str, attempt: int, tag: str, ids: Mapping[str, str]) -> None:
        strays = {
            f"{tag}|{one}": "\x1f".join((run_id, task, str(attempt))) for one, task in ids.items()
        }
        if not strays:
            return
        window_ms = int(self._window * 1000)
        keep = self._ledger.calls.keep_strays(self._space.key, strays, window_ms)
        self._ledger.run([keep])
        self._strays += len(ids)


def _attempt_of(mark: str) -> int:
    """The attempt that a mark of ours names; 0 without one."""
    _, _, number = mark.partition("-")
    try:
        return int(number, 16)
    except ValueError:
        return 0
