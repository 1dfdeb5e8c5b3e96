"""From the ledger's records of batches to the questions that reading back has to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool.request.identity import read_document_ids
from callspool_worker.proving.records import Question
from callspool_worker.sending import body

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool_ledger.reads.entries import BatchEntry


EARLIER_MS = 600_000
"""Milliseconds before an attempt in which earlier ones may have begun that are asked about, too."""


def question_of(
    ledger_id: str, number: int, entry: BatchEntry, documents: Sequence[bytes]
) -> Question | None:
    """What is to be proven of a batch's last attempt; None if nothing of it is in doubt."""
    if entry.phase != "doubt" or len(documents) != len(entry.states):
        return None
    asked = entry.question
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
        mark=body.attempt_word(ledger_id, entry.attempt) if entry.is_marked else None,
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
        earlier={body.attempt_word(ledger_id, line.attempt): line.attempt for line in before}
        if marked
        else {},
        clock_ahead=date - entry.doubted_ms / 1000 if (date := asked.get("server_date")) else None,
        first_ms=min(line.taken_ms for line in before) if marked else None,
    )


def sent_places(entry: BatchEntry, documents: Sequence[bytes]) -> Mapping[str, int]:
    """The ids of the documents that a batch's last attempt sent, with their places."""
    places = [at for at in range(len(documents)) if entry.was_sent(entry.attempt, at)]
    ids = read_document_ids(documents[place] for place in places)
    return dict(zip(ids, places, strict=True))
