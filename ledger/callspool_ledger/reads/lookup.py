"""Finding documents by their identities, thousands in a few round trips."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from callspool.request.identity import NO_NUMBER, Scope, digester, digests_in
from callspool_ledger.reads.campaigns import cap_bar, join_documents, read_bars
from callspool_ledger.reads.entries import FREE, STATES, BatchEntry
from callspool_ledger.reads.gates import KEPT, about, read_entries
from callspool_ledger.reads.lanes import GatesBefore, read_before, read_lane_gates
from callspool_ledger.reads.next_step import (
    CANCELLED,
    describe_gate,
    describe_unconfirmed,
    next_step,
)
from callspool_ledger.reads.reading import join_lists, join_scopes, merged_by, of_one_space
from callspool_ledger.reads.views import AttemptLine, CallEnd, DocumentStatus, Story
from callspool_ledger.scripts import load
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from callspool.redis_io.scripts import Call, Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.campaigns import Bar
    from callspool_ledger.reads.entries import HistoryLine
    from callspool_ledger.reads.reading import Trips
    from callspool_ledger.reads.views import DocumentState, GateView, JournalEntry

IDENTITIES_A_CALL = 500

CONFLICT: Final = "conflict"
"""What a document is whose id the ledger knows with another number: it was not accepted."""

OTHER_NUMBER = "its id belongs to another number: use another --campaign or --id-prefix"


class Place(NamedTuple):
    """Where a document is: its batch, its place there, and the letter of its state."""

    batch: int
    place: int
    letter: str

    @property
    def state(self) -> DocumentState:
        return STATES[self.letter]


@of_one_space
def read_places(keys: PartitionKeys, digests: Sequence[bytes]) -> Trips[list[Place | None]]:
    """Finds the documents with these identities; None for those that the ledger does not know."""
    script = load("reads/lookup")
    calls: list[Call | Command] = [
        script.call([keys.prefix], [b"".join(digests[at : at + IDENTITIES_A_CALL])])
        for at in range(0, len(digests), IDENTITIES_A_CALL)
    ]
    found: list[Place | None] = []
    for reply in (yield calls) if calls else []:
        if not isinstance(reply, bytes):
            raise TypeError(f"lookup answered {type(reply).__name__}, not bytes")
        found += [_place(text) if text else None for text in reply.decode().split(",")]
    return found


@of_one_space
def read_batches(keys: PartitionKeys, numbers: Sequence[int]) -> Trips[dict[int, BatchEntry]]:
    """Reads the records of batches."""
    commands: list[Call | Command] = [("HGETALL", keys.batch(number)) for number in numbers]
    replies = (yield commands) if commands else []
    return {
        number: BatchEntry({name.decode(): value for name, value in reply.items()})
        for number, reply in zip(numbers, replies, strict=True)
        if isinstance(reply, dict) and reply
    }


@of_one_space
def read_statuses(
    keys: PartitionKeys, scope: Scope, document_ids: Sequence[str]
) -> Trips[list[DocumentStatus | None]]:
    """Reads where documents of one scope are, in the order asked for."""
    digests = list(map(digester(scope), document_ids))
    return (yield from read_by_digest(digests, document_ids).trips(keys))


@of_one_space
def read_by_digest(
    keys: PartitionKeys,
    digests: Sequence[bytes],
    document_ids: Sequence[str],
    numbers: Sequence[bytes] = (),
) -> Trips[list[DocumentStatus | None]]:
    """Reads where the documents with these identities are; ``document_ids`` name the statuses.

    ``numbers``: digests of their numbers. Of a document whose id is known with another one, the
    state is `CONFLICT`, and nothing else is told; None where its id is free again.
    """
    places = yield from read_places(digests).trips(keys)
    held = sorted({place.batch for place in places if place})
    batches = yield from read_batches(held).trips(keys)
    waiting = _waiting_lanes(places, batches)
    bars = yield from read_bars(waiting).trips(keys)
    gates = yield from read_lane_gates(keys, waiting)
    asked = numbers or [NO_NUMBER] * len(places)
    return [
        _status_of(document_id, place, batches[place.batch], number, bars, gates)
        if place and place.batch in batches
        else None
        for document_id, place, number in zip(document_ids, places, asked, strict=True)
    ]


def _waiting_lanes(places: Iterable[Place | None], batches: Mapping[int, BatchEntry]) -> list[str]:
    waiting = {each.batch for each in places if each and each.letter == "w"} & batches.keys()
    return sorted({batches[number].lane for number in waiting})


def _bar_of(batch: BatchEntry, bars: Mapping[str, Bar]) -> Bar | None:
    """What keeps a document from being sent: its number's cap before its lane's bar."""
    return cap_bar(batch) or bars.get(batch.lane)


def _status_of(
    document_id: str,
    place: Place,
    batch: BatchEntry,
    number: bytes,
    bars: Mapping[str, Bar],
    gates: Mapping[str, GateView],
) -> DocumentStatus | None:
    if not batch.has_other_number(place.place, number):
        return _status(document_id, place, batch, _bar_of(batch, bars), gates.get(batch.lane))
    if place.letter in FREE:
        return None
    return DocumentStatus(
        document_id=document_id,
        state=CONFLICT,
        run_id=None,
        task_id=None,
        attempts=0,
        reason=OTHER_NUMBER,
        accepted_at=_accepted_at(batch, place.place),
        settled_at=None,
    )


def _by_scope(parts: list[list[Story]]) -> list[Story]:
    return sorted(join_lists(parts), key=lambda story: story.scope)


@merged_by(_by_scope)
def read_stories(
    keys: PartitionKeys,
    document_id: str,
    account: str | None = None,
    space_token: str | None = None,
    campaign: str | None = None,
) -> Trips[list[Story]]:
    """Reads all that is known of a document, in every scope that the arguments leave."""
    wanted = Selector(account, space_token, campaign)
    rows = yield from _read_scopes(keys)
    if wanted != Selector():
        rows = [row for row in rows if wanted.covers(Scope(*row), "")]
    places = yield from read_places(digests_in(rows, document_id)).trips(keys)
    known = sorted((Scope(*row), place) for row, place in zip(rows, places, strict=True) if place)
    batches = yield from read_batches(sorted({place.batch for _, place in known})).trips(keys)
    before = yield from read_before(keys)
    bars = yield from read_bars(_waiting_lanes([place for _, place in known], batches)).trips(keys)
    for scope, place in known:
        batch, record = batches.get(place.batch), before.record_of(scope)
        bar = bars.get(batch.lane) if batch else None
        if batch is not None and record is not None and bar is not None and bar.kind == "hours":
            (pieces,) = yield [("LRANGE", keys.documents(place.batch), 0, -1)]
            bars[batch.lane] = bar.name_source(record, join_documents(pieces), place.place)
    journal = (yield from read_entries(keys, KEPT)) if known else []
    return [
        _story(scope, document_id, place, batches[place.batch], before, bars, journal)
        for scope, place in known
        if place.batch in batches
    ]


@merged_by(join_scopes)
def read_scopes(keys: PartitionKeys) -> Trips[list[Scope]]:
    """Reads every scope that a document was ever accepted for."""
    return [Scope(*row) for row in sorted((yield from _read_scopes(keys)))]


def _read_scopes(keys: PartitionKeys) -> Trips[list[tuple[str, str, str]]]:
    (members,) = yield [("SMEMBERS", keys.scopes)]
    found = members if isinstance(members, set | list) else ()
    return msgspec.json.decode(b"[" + b",".join(found) + b"]", type=list[tuple[str, str, str]])


def _place(text: str) -> Place | None:
    batch, place, letter = text.split(":")
    # A record that is gone while its identity is still there was dropped a moment ago.
    return Place(int(batch), int(place), letter) if letter in STATES else None


def _accepted_at(batch: BatchEntry, place: int) -> datetime:
    return datetime.fromtimestamp(batch.accepted_ms(place) / 1000, UTC)


def _at(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None


def _reason(place: Place, batch: BatchEntry, bar: Bar | None, gate: GateView | None) -> str | None:
    if place.letter == "c":
        return describe_unconfirmed(batch, place.place)
    if place.letter in "kK":
        return batch.suppression(place.place) or CANCELLED
    if place.letter == "e":
        return "its campaign ended" if "ended" in batch.fields else "its time to be sent was over"
    if place.letter == "w" and (bar is not None or gate is not None):
        return "; ".join([*([describe_gate(gate)] if gate else []), *([bar.reason] if bar else [])])
    if place.letter in "dh":
        return batch.held or batch.reason or None
    return batch.reason or None


def _status(
    document_id: str, place: Place, batch: BatchEntry, bar: Bar | None, gate: GateView | None
) -> DocumentStatus:
    run_id, task_id, _ = batch.proof(place.place) or (None, None, None)
    return DocumentStatus(
        document_id=document_id,
        state=place.state,
        run_id=run_id if place.letter == "c" else None,
        task_id=task_id if place.letter == "c" else None,
        attempts=_attempts(place, batch),
        reason=_reason(place, batch, bar, gate),
        accepted_at=_accepted_at(batch, place.place),
        settled_at=_at(batch.settled_ms) if place.letter in "ckKe" else None,
        outcome=batch.outcome(place.place),
        call=_call(batch, place.place),
    )


def _call(batch: BatchEntry, place: int) -> CallEnd | None:
    found = batch.call(place)
    if found is None:
        return None
    return CallEnd(
        call_status=found.status or None,
        end_reason=found.end_reason or None,
        started_at=_at(found.started * 1000),
        ended_at=_at(found.ended * 1000),
        duration=found.duration,
        rings=found.rings,
    )


def _attempts(place: Place, batch: BatchEntry) -> int:
    """Returns how often the document was sent, or may have been, one under way included."""
    history = batch.history
    if len(history) == 1:
        sent = int(batch.was_sent(history[0].attempt, place.place))
    else:
        sent = len({one.attempt for one in history if batch.was_sent(one.attempt, place.place)})
    return sent + (place.letter == "s")


def _concerns(line: HistoryLine, place: Place, batch: BatchEntry) -> bool:
    is_others = line.outcome == "confirmed" and batch.word(place.place) is None
    return not is_others and batch.was_sent(line.attempt, place.place)


def _story(
    scope: Scope,
    document_id: str,
    place: Place,
    batch: BatchEntry,
    before: GatesBefore,
    bars: Mapping[str, Bar],
    journal: Sequence[JournalEntry],
) -> Story:
    bar = _bar_of(batch, bars) if place.letter == "w" else None
    gate = before.find(scope, batch.lane)
    status = _status(document_id, place, batch, bar, gate)
    accepted_at = _accepted_at(batch, place.place)
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
        accepted_at=accepted_at,
        settled_at=status.settled_at,
        expires_at=_at(batch.expires_ms(place.place)),
        attempts=attempts,
        run_id=status.run_id,
        task_id=status.task_id,
        reason=status.reason,
        batch=place.batch,
        lane=batch.lane,
        next_step=next_step(document_id, place.letter, batch, gate, status.outcome, bar),
        bar=bar,
        journal=about(journal, scope, batch.lane, document_id, accepted_at),
        key=batch.key(place.place),
        outcome=status.outcome,
        call=status.call,
    )
