"""Finding documents by their identities, thousands in a few round trips."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.request.identity import Scope, digester, digests_in
from callspool_ledger import keys
from callspool_ledger.reads.entries import STATES, BatchEntry
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.journal import KEPT, about, read_journal
from callspool_ledger.reads.lanes import GatesBefore
from callspool_ledger.reads.next_step import next_step
from callspool_ledger.reads.views import AttemptLine, DocumentStatus, Story
from callspool_ledger.scripts import load
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Call, Command
    from callspool_ledger.reads.driving import Reading
    from callspool_ledger.reads.entries import HistoryLine
    from callspool_ledger.reads.views import JournalEntry

IDENTITIES_A_CALL = 500


class Place(NamedTuple):
    """Where a document is: its batch, its place there, and the letter of its state."""

    batch: int
    place: int
    letter: str

    @property
    def state(self) -> str:
        return STATES[self.letter]


def read_places(partition: int, digests: Sequence[bytes]) -> Reading[list[Place | None]]:
    """The round trip that finds documents; None for those that the ledger does not know."""
    script = load("reads/lookup")
    calls: list[Call | Command] = [
        script.call([keys.prefix(partition)], [b"".join(digests[at : at + IDENTITIES_A_CALL])])
        for at in range(0, len(digests), IDENTITIES_A_CALL)
    ]
    found: list[Place | None] = []
    for reply in (yield calls) if calls else []:
        if not isinstance(reply, bytes):
            raise TypeError(f"lookup answered {type(reply).__name__}, not bytes")
        found += [_place(text) if text else None for text in reply.decode().split(",")]
    return found


def read_batches(partition: int, numbers: Sequence[int]) -> Reading[dict[int, BatchEntry]]:
    """The round trip that reads the records of batches."""
    base = keys.prefix(partition)
    commands: list[Call | Command] = [("HGETALL", f"{base}:b{number}") for number in numbers]
    replies = (yield commands) if commands else []
    return {
        number: BatchEntry({name.decode(): value for name, value in reply.items()})
        for number, reply in zip(numbers, replies, strict=True)
        if isinstance(reply, dict) and reply
    }


def read_statuses(
    partition: int, scope: Scope, document_ids: Sequence[str]
) -> Reading[list[DocumentStatus | None]]:
    """The round trips that tell where documents of one scope are."""
    digest = digester(scope)
    digests = [digest(one) for one in document_ids]
    return (yield from read_by_digest(partition, digests, document_ids))


def read_by_digest(
    partition: int, digests: Sequence[bytes], document_ids: Sequence[str]
) -> Reading[list[DocumentStatus | None]]:
    """The same for identities; ``document_ids`` are what the statuses are to be called."""
    places = yield from read_places(partition, digests)
    numbers = sorted({place.batch for place in places if place})
    batches = yield from read_batches(partition, numbers)
    return [
        _status(document_id, place, batches[place.batch])
        if place and place.batch in batches
        else None
        for document_id, place in zip(document_ids, places, strict=True)
    ]


def read_stories(
    partition: int,
    document_id: str,
    account: str | None,
    space_token: str | None,
    campaign: str | None,
) -> Reading[list[Story]]:
    """The round trips that tell a document's stories, one for each scope that knows it."""
    wanted = Selector(account, space_token, campaign)
    rows = yield from _read_scopes(partition)
    if wanted != Selector():
        rows = [row for row in rows if wanted.covers(Scope(*row), "")]
    places = yield from read_places(partition, digests_in(rows, document_id))
    known = sorted((Scope(*row), place) for row, place in zip(rows, places, strict=True) if place)
    batches = yield from read_batches(partition, sorted({place.batch for _, place in known}))
    before = GatesBefore((yield from read_gates(partition)))
    journal = (yield from read_journal(partition, KEPT)) if known else []
    return [
        _story(scope, document_id, place, batches[place.batch], before, journal)
        for scope, place in known
        if place.batch in batches
    ]


def read_scopes(partition: int) -> Reading[list[Scope]]:
    """The round trip that reads every scope that a document was ever accepted for."""
    return [Scope(*row) for row in sorted((yield from _read_scopes(partition)))]


def _read_scopes(partition: int) -> Reading[list[tuple[str, str, str]]]:
    (members,) = yield [("SMEMBERS", f"{keys.prefix(partition)}:scopes")]
    found = members if isinstance(members, set | list) else ()
    return msgspec.json.decode(b"[" + b",".join(found) + b"]", type=list[tuple[str, str, str]])


def _place(text: str) -> Place | None:
    batch, place, letter = text.split(":")
    # A record that is gone while its identity is still there was dropped a moment ago.
    return Place(int(batch), int(place), letter) if letter in STATES else None


def _at(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None


def _status(document_id: str, place: Place, batch: BatchEntry) -> DocumentStatus:
    run_id, task_id, _ = batch.proof(place.place) or (None, None, None)
    return DocumentStatus(
        document_id=document_id,
        state=place.state,
        run_id=run_id if place.letter == "c" else None,
        task_id=task_id if place.letter == "c" else None,
        attempts=_attempts(place, batch),
        reason=batch.reason or None if place.letter != "c" else None,
        accepted_at=datetime.fromtimestamp(batch.accepted_ms(place.place) / 1000, UTC),
        settled_at=_at(batch.settled_ms) if place.letter in "cke" else None,
    )


def _attempts(place: Place, batch: BatchEntry) -> int:
    """How often the document was sent, or may have been; one that is under way included."""
    history = batch.history
    if len(history) == 1:
        sent = int(batch.was_sent(history[0].attempt, place.place))
    else:
        sent = len({one.attempt for one in history if batch.was_sent(one.attempt, place.place)})
    return sent + (place.letter == "s")


def _concerns(line: HistoryLine, place: Place, batch: BatchEntry) -> bool:
    if line.outcome == "confirmed" and batch.word(place.place) is None:
        return False
    return batch.was_sent(line.attempt, place.place)


def _story(
    scope: Scope,
    document_id: str,
    place: Place,
    batch: BatchEntry,
    before: GatesBefore,
    journal: Sequence[JournalEntry],
) -> Story:
    status = _status(document_id, place, batch)
    attempts = [
        AttemptLine(
            number=line.attempt,
            at=datetime.fromtimestamp(line.taken_ms / 1000, UTC),
            outcome=line.outcome,
            code=line.code,
            detail=line.detail,
            documents=line.documents,
            seconds=(line.ended_ms - line.taken_ms) / 1000,
        )
        for line in batch.history
        if _concerns(line, place, batch)
    ]
    return Story(
        scope=scope,
        document_id=document_id,
        state=status.state,
        accepted_at=status.accepted_at,
        settled_at=status.settled_at,
        expires_at=_at(batch.expires_ms(place.place)),
        attempts=attempts,
        run_id=status.run_id,
        task_id=status.task_id,
        reason=status.reason,
        batch=place.batch,
        lane=batch.lane,
        next_step=next_step(document_id, place.letter, batch, before.find(scope, batch.lane)),
        journal=about(journal, scope, batch.lane, document_id, status.accepted_at),
    )
