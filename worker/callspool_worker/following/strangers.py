"""Tasks that the ledger does not know as created: with our mark they are proof, and settle."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from callspool.request.identity import digests_in
from callspool_ledger.reads.lookup import read_places
from callspool_worker import events
from callspool_worker.events.event import emit, pair, run_shown

if TYPE_CHECKING:
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.lookup import Place
    from callspool_ledger.writes import Ledger
    from callspool_ledger.writes.follow_calls import FollowPass
    from callspool_worker.decisions.call_outcome import TaskCall
    from callspool_worker.following.batch_look import TasksRead
    from callspool_worker.proving.records import TaskSeen


class StrangerCheck:
    """Finds out whose the tasks are that a look did not know. Raises `LedgerUnavailable`."""

    def __init__(self, ledger: Ledger, space: FollowPass) -> None:
        self._ledger = ledger
        self._space = space

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
