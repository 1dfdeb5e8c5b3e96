"""What cannot be sent: dead documents, refused ones, and messages that no worker could read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from callspool.request.identity import Scope, read_document_id
from callspool_ledger.reads.entries import BatchEntry
from callspool_ledger.reads.reading import Reading, join_lists, read_pieces
from callspool_ledger.reads.views import DeadView, RefusalView, UnreadableView

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips
    from callspool_ledger.selectors import Selector


_BETWEEN = b"\x1e"

Dated = TypeVar("Dated", DeadView, RefusalView, UnreadableView)


class _DeadBatch(NamedTuple):
    batch: int
    died_ms: int
    documents: int
    account: str
    space_token: str
    campaign: str
    lane: str

    @property
    def scope(self) -> Scope:
        return Scope(self.account, self.space_token, self.campaign)


def read_dead(selector: Selector, most: int) -> Reading[tuple[list[DeadView], int]]:
    """Reads the newest dead documents that may be replayed; and how many there are."""
    return Reading(
        lambda keys: _read_dead(keys, selector, most),
        lambda parts: (
            _newest([views for views, _ in parts], most),
            sum(total for _, total in parts),
        ),
    )


def _newest(parts: list[list[Dated]], most: int) -> list[Dated]:
    return sorted(join_lists(parts), key=lambda each: each.at, reverse=True)[:most]


def _read_dead(
    keys: PartitionKeys, selector: Selector, most: int
) -> Trips[tuple[list[DeadView], int]]:
    found = yield from read_pieces(keys, "dead", _DeadBatch)
    meant = [row for row in {r.batch: r for r in found}.values() if _is_meant(row, selector)]
    total = sum(row.documents for row in meant)
    newest = sorted(meant, key=lambda row: (row.died_ms, row.batch), reverse=True)[:most]
    commands: list[Command] = [("HGETALL", keys.batch(row.batch)) for row in newest]
    commands += [("LRANGE", keys.documents(row.batch), 0, -1) for row in newest]
    replies = (yield commands) if commands else []
    documents: list[DeadView] = []
    for row, fields, pieces in zip(
        newest, replies[: len(newest)], replies[len(newest) :], strict=True
    ):
        if isinstance(fields, dict) and isinstance(pieces, list):
            documents += _views(row, fields, pieces)
    return documents[:most], total


def _is_meant(row: _DeadBatch, selector: Selector) -> bool:
    return row.documents > 0 and selector.covers(row.scope, row.lane)


def _views(row: _DeadBatch, fields: dict[bytes, bytes], pieces: list[bytes]) -> list[DeadView]:
    entry = BatchEntry({name.decode(): value for name, value in fields.items()})
    at = datetime.fromtimestamp(row.died_ms / 1000, UTC)
    return [
        DeadView(read_document_id(raw), row.scope, row.lane, entry.reason, at)
        for place, raw in enumerate(_BETWEEN.join(pieces).split(_BETWEEN))
        if entry.letter(place) == "x"
    ]


class _RefusalRecord(msgspec.Struct):
    """A refusal as the worker recorded it; ``at`` in unix seconds."""

    at: float
    account: str
    message: str
    place: int | None
    document_id: str | None
    field: str
    reason: str
    document: str = ""


def read_refused(most: int) -> Reading[list[RefusalView]]:
    """Reads the documents that were refused last, the newest first."""
    return Reading(lambda keys: _read_refused(keys, most), lambda parts: _newest(parts, most))


def _read_refused(keys: PartitionKeys, most: int) -> Trips[list[RefusalView]]:
    (found,) = yield [("LRANGE", keys.invalid, 0, most - 1)]
    records = [msgspec.json.decode(record, type=_RefusalRecord) for record in _list(found)]
    return [
        RefusalView(
            at=datetime.fromtimestamp(record.at, UTC),
            account=record.account,
            message=record.message,
            place=record.place,
            document_id=record.document_id,
            field=record.field,
            reason=record.reason,
            document=record.document,
        )
        for record in records
    ]


def read_unreadable(most: int) -> Reading[list[UnreadableView]]:
    """Reads the messages that no worker could read, the newest first; they are kept whole."""
    return Reading(lambda keys: _read_unreadable(keys, most), lambda parts: _newest(parts, most))


def _read_unreadable(keys: PartitionKeys, most: int) -> Trips[list[UnreadableView]]:
    (found,) = yield [("XREVRANGE", keys.dead_requests, "+", "-", "COUNT", most)]
    return [_unreadable(entry_id.decode(), fields) for entry_id, fields in _list(found)]


def _unreadable(entry_id: str, fields: dict[bytes, bytes]) -> UnreadableView:
    milliseconds = int(entry_id.partition("-")[0])
    return UnreadableView(
        at=datetime.fromtimestamp(milliseconds / 1000, UTC),
        message=fields.get(b"dead_id", entry_id.encode()).decode(errors="replace"),
        kept_as=entry_id,
        reason=fields.get(b"dead_reason", b"").decode(errors="replace"),
        bytes=sum(len(value) for value in fields.values()),
    )


def _list(reply: object) -> list[Any]:
    return reply if isinstance(reply, list) else []
