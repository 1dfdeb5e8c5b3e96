"""Tasks that the ledger does not know as created: with our mark they are proof, and settle."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Literal

import msgspec

from callspool.request.identity import digests_in
from callspool_ledger.reads.lookup import read_places
from callspool_worker import events
from callspool_worker.events.event import emit, pair, run_shown
from callspool_worker.following.frontier import UnitMemory, plan_last_looks
from callspool_worker.following.windows import judge_follow_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.lookup import Place
    from callspool_ledger.writes import Ledger
    from callspool_ledger.writes.follow_calls import FollowPass
    from callspool_worker.decisions.call_outcome import TaskCall
    from callspool_worker.following.batch_look import TasksRead
    from callspool_worker.following.read_turns import FollowSettings
    from callspool_worker.following.windows import WindowTask
    from callspool_worker.proving.records import TaskSeen


class StrangerCheck:
    """Finds out whose the tasks are that a look did not know. Raises `LedgerUnavailable`."""

    def __init__(
        self, ledger: Ledger, space: FollowPass, follower: str, how: FollowSettings
    ) -> None:
        self._ledger = ledger
        self._space = space
        self._follower = follower
        self._how = how

    def settle(self, batch: int, entry: BatchEntry, found: TasksRead) -> None:
        """Settles documents whose creation these tasks prove, and adds tasks to those of places.

        The latter are those of documents that an operator confirmed with their run alone.
        """
        without_task = _places_without_task(entry)
        for run_id, task, call in found.strangers:
            for place in self._places_of(task):
                is_here = place.batch == batch
                if is_here and place.place in without_task and run_id in entry.tasks():
                    found.calls.setdefault(place.place, []).append(call)
                elif place.letter != "c" or not is_here:
                    self._prove(run_id, task, call, place)

    def settle_window(self, tasks: Sequence[WindowTask]) -> None:
        """Does the same with tasks of a window that have our mark; follow-ups change outcomes."""
        own = [each for each in tasks if _attempt_of(self._ledger.id, each.task.mark) is not None]
        scopes = self._ledger.scopes_of(self._space.account, self._space.space_token)
        asked = [
            (each, digest)
            for each in own
            for name in each.task.names[:1]
            for digest in digests_in(scopes, name)
        ]
        found = self._ledger.read(read_places([digest for _, digest in asked])) if asked else []
        followed: dict[int, dict[int, list[TaskCall]]] = {}
        for (each, _), place in zip(asked, found, strict=True):
            if place is None:
                continue
            if each.call.follows is not None:
                followed.setdefault(place.batch, {}).setdefault(place.place, []).append(each.call)
            elif place.letter != "c" and each.run_id:
                self._prove(each.run_id, each.task, each.call, place)
        for batch, (entry, _) in self._ledger.batches(list(followed)).items():
            self._change(batch, entry, followed[batch])

    def _change(
        self, batch: int, entry: BatchEntry, calls: Mapping[int, Sequence[TaskCall]]
    ) -> None:
        """Records what follow-ups changed; what is remembered of the batch stays as it is."""
        judged = {
            place: judge_follow_up(entry, place, each, self._how.outcomes)
            for place, each in calls.items()
        }
        news = {place: change for place, change in judged.items() if change is not None}
        if not news:
            return
        left = any(
            letter == "o" and place not in news for place, letter in enumerate(entry.outcomes)
        )
        memory = UnitMemory()
        again: int | Literal["kept"] = "kept"
        if "o" in entry.outcomes and not left:
            memory, seconds = plan_last_looks(memory, self._how.times, lacks=False)
            again = math.ceil((seconds or 0) * 1000)
        step = self._ledger.calls.record_calls(
            self._follower,
            self._space.key,
            batch,
            memory=msgspec.json.encode(memory).decode(),
            again_ms=again,
            news=news,
            entry=entry,
        )
        self._ledger.run([step])

    def _places_of(self, task: TaskSeen) -> list[Place]:
        scopes = self._ledger.scopes_of(self._space.account, self._space.space_token)
        digests = [one for name in task.names[:1] for one in digests_in(scopes, name)]
        if not digests:
            return []
        return [place for place in self._ledger.read(read_places(digests)) if place is not None]

    def _prove(self, run_id: str, task: TaskSeen, call: TaskCall, place: Place) -> None:
        """Records a creation if the task carries the mark of an attempt of that very batch."""
        attempt = _attempt_of(self._ledger.id, task.mark)
        entry, _ = self._ledger.batches([place.batch]).get(place.batch, (None, None))
        if entry is None or attempt is None or not _held_by(entry, attempt, place.place):
            return
        step = self._ledger.calls.record_proven(
            place.batch,
            attempt,
            _seal_of(entry),
            run_id=run_id,
            ids=[call.task_id],
            places="".join("1" if at == place.place else "0" for at in range(len(entry.states))),
            claim=False,
        )
        (reply,) = self._ledger.run([step])
        documents, twice = pair(reply)
        if documents or twice:
            emit(
                events.Proven(
                    batch=place.batch,
                    attempt=attempt,
                    account=self._space.account,
                    documents=documents,
                    run_id=run_shown(run_id),
                    twice=twice,
                )
            )


def _places_without_task(entry: BatchEntry) -> set[int]:
    known = {place for tasks in entry.tasks().values() for place in tasks.values()}
    return {at for at, letter in enumerate(entry.states) if letter == "c" and at not in known}


def _attempt_of(ledger_id: str, mark: str | None) -> int | None:
    """The attempt that a mark of this ledger names; None for any other word."""
    ledger, _, attempt = (mark or "").partition("-")
    if ledger != ledger_id:
        return None
    try:
        return int(attempt, 16)
    except ValueError:
        return None


def _held_by(entry: BatchEntry, attempt: int, place: int) -> bool:
    """Whether an attempt of this batch held the document at a place."""
    attempts = {entry.attempt, *(line.attempt for line in entry.history)}
    return attempt in attempts and entry.was_sent(attempt, place)


def _seal_of(entry: BatchEntry) -> str:
    digests = entry.fields.get("d", b"")
    return entry.seal or hashlib.sha1(digests, usedforsecurity=False).hexdigest()[:8]
