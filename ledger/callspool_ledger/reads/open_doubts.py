"""The documents in doubt, one by one: why, since when, and how their proof stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from callspool.request.identity import Scope, digester
from callspool_ledger import keys
from callspool_ledger.reads.doubts import doubtful_spaces
from callspool_ledger.reads.lookup import read_batches, read_places, read_scopes
from callspool_ledger.reads.pieces import read_pieces
from callspool_ledger.reads.views import DoubtView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool.redis_io.scripts import Command
    from callspool_ledger.reads.driving import Reading
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.selectors import Selector

_BETWEEN = b"\x1e"


class _Batch(NamedTuple):
    batch: int
    doubted_ms: int
    documents: int
    account: str
    space_token: str
    campaign: str
    lane: str
    held: str

    @property
    def scope(self) -> Scope:
        return Scope(self.account, self.space_token, self.campaign)


class _Space(NamedTuple):
    """When a space is looked at next (None: now), and since when it cannot be read back."""

    next_look_at: datetime | None
    unreadable_since: datetime | None


class _Named(msgspec.Struct):
    document_id: str = ""


def read_doubts(
    partition: int, selector: Selector, most: int, *, only_held: bool
) -> Reading[tuple[list[DoubtView], int]]:
    """The documents longest in doubt, at most ``most``; and how many are in doubt."""
    found: dict[int, _Batch] = {}
    for space in (yield from doubtful_spaces(partition, selector)):
        rows = yield from read_pieces(partition, "doubts", _Batch, space)
        found |= {row.batch: row for row in rows if _is_meant(row, selector, only_held)}
    oldest = sorted(found.values(), key=lambda row: (row.doubted_ms, row.batch))
    shown: list[_Batch] = []
    for row in oldest:
        if sum(one.documents for one in shown) >= most:
            break
        shown.append(row)
    scopes = {row.batch: row.scope for row in shown}
    documents = yield from _read_views(partition, scopes)
    return documents[:most], sum(row.documents for row in oldest)


def read_doubt(
    partition: int, document_id: str, selector: Selector, *, only_held: bool
) -> Reading[list[DoubtView]]:
    """One document, in each scope of the selector where it is in doubt."""
    scopes = [scope for scope in (yield from read_scopes(partition)) if selector.covers(scope, "")]
    places = yield from read_places(partition, [digester(scope)(document_id) for scope in scopes])
    wanted = "h" if only_held else "dh"
    meant = {
        place.batch: scope
        for scope, place in zip(scopes, places, strict=True)
        if place and place.letter in wanted
    }
    views = yield from _read_views(partition, meant)
    return [view for view in views if view.document_id == document_id]


def _is_meant(row: _Batch, selector: Selector, only_held: bool) -> bool:
    is_held = bool(row.held) or not only_held
    return row.documents > 0 and is_held and selector.covers(row.scope, row.lane)


def _read_views(partition: int, scopes: dict[int, Scope]) -> Reading[list[DoubtView]]:
    """All documents in doubt of some batches, in their order."""
    if not scopes:
        return []
    base = keys.prefix(partition)
    batches = yield from read_batches(partition, list(scopes))
    asked: list[Command] = [("LRANGE", f"{base}:p{number}", 0, -1) for number in scopes]
    payloads = yield asked
    spaces = yield from _read_spaces(partition, set(scopes.values()))
    return [
        view
        for (number, scope), pieces in zip(scopes.items(), payloads, strict=True)
        if number in batches and isinstance(pieces, list)
        for view in _views(scope, batches[number], pieces, spaces[scope[:2]])
    ]


def _read_spaces(partition: int, scopes: Iterable[Scope]) -> Reading[dict[tuple[str, str], _Space]]:
    base = keys.prefix(partition)
    spaces = sorted({scope[:2] for scope in scopes})
    names = ["|".join(space) for space in spaces]
    asked: list[Command] = [("TIME",), ("HMGET", f"{base}:looking", *names)]
    asked += [("HMGET", f"{base}:unreadable", *names)]
    asked += [("ZSCORE", f"{base}:proofs", name) for name in names]
    replies: list[Any] = yield asked
    (seconds, micros), looking, unreadable, *due = replies
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    return {
        space: _Space(
            None if _till(lease) > now_ms else _at(max(float(score or 0), now_ms)), _at(since)
        )
        for space, lease, since, score in zip(spaces, looking, unreadable, due, strict=True)
    }


def _till(lease: bytes | None) -> int:
    """Until when somebody reads a space back; 0 if nobody does."""
    return int((lease or b"0").partition(b" ")[0])


def _views(
    scope: Scope, entry: BatchEntry, pieces: Sequence[bytes], space: _Space
) -> list[DoubtView]:
    since = datetime.fromtimestamp(entry.doubted_ms / 1000, UTC)
    changed = datetime.fromtimestamp(entry.changed_ms / 1000, UTC)
    answered = bool(entry.question.get("answered"))
    return [
        DoubtView(
            document_id=_name(raw),
            scope=scope,
            lane=entry.lane,
            attempt=entry.attempt,
            reason=entry.reason,
            since=since,
            held=entry.held,
            answered=answered,
            found=entry.has_found,
            changed_at=changed,
            next_look_at=space.next_look_at,
            unreadable_since=space.unreadable_since,
        )
        for place, raw in enumerate(_BETWEEN.join(pieces).split(_BETWEEN))
        if entry.letter(place) == "d"
    ]


def _name(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=_Named).document_id
    except msgspec.DecodeError:
        return ""


def _at(ms: float | bytes | None) -> datetime | None:
    return datetime.fromtimestamp(float(ms) / 1000, UTC) if ms else None
