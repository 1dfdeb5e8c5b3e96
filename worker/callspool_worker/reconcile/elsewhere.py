"""Which documents other open attempts of a space hold: asked where no mark tells tasks apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_worker.ledger.calls import BATCHES_A_LOOK
from callspool_worker.reconcile.questions import sent_places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool_worker.ledger import Ledger, SpaceLook
    from callspool_worker.reconcile.sightings import Question, RunRead


def sent_elsewhere(
    ledger: Ledger, space: SpaceLook, questions: Sequence[Question], runs: Sequence[RunRead]
) -> Mapping[int, frozenset[str]]:
    """For each question's batch, the documents that attempts of other batches sent.

    Those in doubt and those under way count; of a space that holds more in doubt than one look
    takes in, all documents do.
    """
    unmarked = [run for run in runs if run.tasks and all(task.mark is None for task in run.tasks)]
    if not unmarked:
        return {question.batch: frozenset() for question in questions}
    if len(space.batches) >= BATCHES_A_LOOK:
        everything = frozenset(task.document_id or "" for run in unmarked for task in run.tasks)
        return {question.batch: everything for question in questions}
    sent = {question.batch: frozenset(question.places) for question in questions}
    sent |= _under_way(ledger, space)
    return {
        question.batch: frozenset().union(
            *(ids for batch, ids in sent.items() if batch != question.batch)
        )
        for question in questions
    }


def _under_way(ledger: Ledger, space: SpaceLook) -> dict[int, frozenset[str]]:
    numbers = [int(held.partition(":")[0]) for held in ledger.sending().values()]
    found = ledger.batches(numbers)
    spaces = ledger.spaces_of({entry.lane for entry, _ in found.values()})
    return {
        number: frozenset(sent_places(entry, documents))
        for number, (entry, documents) in found.items()
        if f"{entry.account}|{spaces.get(entry.lane, '')}" == space.key
        and len(documents) == len(entry.states)
    }
