"""Finding documents by their identities, thousands in a few round trips."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.request.identity import NO_NUMBER, Scope, digester, digests_in
from callspool_ledger.reads.entries import FREE, STATES, BatchEntry
from callspool_ledger.reads.gates import KEPT, about, read_entries, read_gates
from callspool_ledger.reads.lanes import GatesBefore
from callspool_ledger.reads.reading import join_lists, merged_by, of_one_space
from callspool_ledger.reads.views import AttemptLine, CallEnd, DocumentStatus, Story
from callspool_ledger.scripts import load
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Call, Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.entries import HistoryLine
    from callspool_ledger.reads.reading import Trips
    from callspool_ledger.reads.views import GateView, JournalEntry


IDENTITIES_A_CALL = 500

CONFLICT = "conflict"
"""What a document is whose id the ledger knows with another number: it was not accepted."""

CANCELLED = "cancelled by an operator, which is final for its campaign (--again calls it)"
OTHER_NUMBER = "its id belongs to another number: use another --campaign or --id-prefix"


class Place(NamedTuple):
    """Where a document is: its batch, its place there, and the letter of its state."""

    batch: int
    place: int
    letter: str

    @property
    def state(self) -> str:
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
    digest = digester(scope)
    digests = [digest(one) for one in document_ids]
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
    asked = numbers or [NO_NUMBER] * len(places)
    return [
        _status_of(document_id, place, batches[place.batch], number)
        if place and place.batch in batches
        else None
        for document_id, place, number in zip(document_ids, places, asked, strict=True)
    ]


def _status_of(
    document_id: str, place: Place, batch: BatchEntry, number: bytes
) -> DocumentStatus | None:
    if not batch.has_other_number(place.place, number):
        return _status(document_id, place, batch)
    if place.letter in FREE:
        return None
    return DocumentStatus(
        document_id=document_id,
        state=CONFLICT,
        run_id=None,
        task_id=None,
        attempts=0,
        reason=OTHER_NUMBER,
        accepted_at=datetime.fromtimestamp(batch.accepted_ms(place.place) / 1000, UTC),
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
    before = GatesBefore((yield from read_gates().trips(keys)))
    journal = (yield from read_entries(keys, KEPT)) if known else []
    return [
        _story(scope, document_id, place, batches[place.batch], before, journal)
        for scope, place in known
        if place.batch in batches
    ]


def _sort(parts: list[list[Scope]]) -> list[Scope]:
    return sorted(join_lists(parts))


@merged_by(_sort)
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
        reason=_reason(place, batch),
        accepted_at=datetime.fromtimestamp(batch.accepted_ms(place.place) / 1000, UTC),
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


def _reason(place: Place, batch: BatchEntry) -> str | None:
    if place.letter in "kK":
        return batch.suppression(place.place) or CANCELLED
    return batch.reason or None if place.letter != "c" else None


def _attempts(place: Place, batch: BatchEntry) -> int:
    """Returns how often the document was sent, or may have been, one under way included."""
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
        next_step=next_step(
            document_id, place.letter, batch, before.find(scope, batch.lane), status.outcome
        ),
        journal=about(journal, scope, batch.lane, document_id, status.accepted_at),
        key=batch.key(place.place),
        outcome=status.outcome,
        call=status.call,
    )


_CREATED = {
    "open": "The API has it; workers look what became of its call (docs/following.md).",
    "lost_sight": "The API has it; what became of its call is not known, and no worker looks.",
}


def next_step(
    document_id: str,
    letter: str,
    batch: BatchEntry,
    gate: GateView | None,
    outcome: str | None = None,
) -> str:
    """Returns the next thing that will happen, or the command that would change it.

    ``gate``: what keeps its lane from sending, if anything does.
    """
    if letter == "w":
        return _waiting(batch, gate)
    if letter == "c":
        return _CREATED.get(outcome or "", "Its call is over.")
    return {
        "s": "It is being sent; the answer will be recorded.",
        "d": _in_doubt(document_id, batch),
        "h": _in_doubt(document_id, batch),
        "x": "It is not sent again by itself: correct the document and enqueue it anew, or"
        f" `callspool dead replay --document-id {shlex.quote(document_id)}` sends it as it is.",
        "X": "It was given up (callspool dead drop); enqueued anew, it is sent.",
        "k": f"It was {CANCELLED}.",
        "K": "It is called if it is enqueued anew and on no list: callspool suppress remove",
        "e": "Its time was over before it could be sent; enqueue it anew with a later one.",
    }[letter]


def _in_doubt(document_id: str, batch: BatchEntry) -> str:
    if not batch.held:
        return (
            "It may have been created: workers read its space back, and send it again only when"
            " it is proven that it was not (callspool doubts list tells how that stands)."
        )
    one = f"--document-id {shlex.quote(document_id)}"
    return (
        f"It may have been created, and no look at the API can prove whether ({batch.held}), so it"
        f" is not sent again by itself: look into the space, then `callspool doubts confirm {one}`"
        f" if it is there; `callspool doubts resend {one}` sends it again and may call somebody"
        " twice."
    )


def _waiting(batch: BatchEntry, gate: GateView | None) -> str:
    if gate is not None and gate.kind == "paused":
        by = f" by {gate.by}" if gate.by else ""
        return f"It is paused{by}; `callspool resume {gate.selector.flags}` lets it be sent."
    if gate is not None and gate.passing:
        return f"It waits: {gate.reason}."
    if gate is not None:
        return (
            f"Its {gate.selector.level} is parked (callspool status says why); it is tried again"
            f" now and then, and at once after `callspool resume {gate.selector.flags}` or by a"
            " new `callspool run`."
        )
    if batch.phase == "resting":
        due = datetime.fromtimestamp(batch.due_ms / 1000, UTC).astimezone()
        return f"It is sent again at {due.isoformat(sep=' ', timespec='seconds')}."
    if batch.phase == "open":
        return "Its batch leaves when it is full or has waited CALLSPOOL_LINGER."
    return "Its batch leaves as soon as a worker is free."
