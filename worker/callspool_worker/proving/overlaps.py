"""Which documents other open attempts of a space hold: asked where no mark tells tasks apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_worker.proving.questions import sent_places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool_ledger.writes import Ledger, SpaceLook
    from callspool_worker.proving.records import Question, RunRead

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
