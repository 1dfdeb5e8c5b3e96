"""From the ledger's records of batches to the questions that reading back has to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from callspool_worker import body
from callspool_worker.reconcile.sightings import Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.ledger.entries import BatchEntry


class _Identified(msgspec.Struct):
    document_id: str = ""


_identify = msgspec.json.Decoder(_Identified).decode


def question_of(
    ledger_id: str, number: int, entry: BatchEntry, documents: Sequence[bytes]
) -> Question | None:
    """What is to be proven of a batch's last attempt; None if nothing of it is in doubt."""
    if entry.phase != "doubt" or len(documents) != len(entry.states):
        return None
    asked = entry.question
    return Question(
        batch=number,
        attempt=entry.attempt,
        seal=entry.seal,
        lane_id=entry.lane,
        places=sent_places(entry, documents),
        open=frozenset(place for place, letter in enumerate(entry.states) if letter == "d"),
        mark=body.attempt_word(ledger_id, entry.attempt) if entry.is_marked else None,
        run_id=asked.get("run_id"),
        answered=bool(asked.get("answered")),
        sent_ms=entry.taken_ms,
        since_ms=entry.doubted_ms,
        tries=entry.tries,
        size=len(entry.states),
        own_runs=entry.runs_of(entry.attempt),
        held=entry.held,
    )


def sent_places(entry: BatchEntry, documents: Sequence[bytes]) -> Mapping[str, int]:
    """The ids of the documents that a batch's last attempt sent, with their places."""
    return {
        _identify(document).document_id: place
        for place, document in enumerate(documents)
        if entry.was_sent(entry.attempt, place)
    }
