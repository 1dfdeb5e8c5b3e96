"""The documents that cannot be sent, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.request.identity import Scope
from callspool_ledger import keys
from callspool_ledger.reads.entries import BatchEntry
from callspool_ledger.reads.pieces import read_pieces
from callspool_ledger.reads.views import DeadView

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Command
    from callspool_ledger.reads.driving import Reading
    from callspool_ledger.selectors import Selector

_BETWEEN = b"\x1e"


class _Batch(NamedTuple):
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


class _Named(msgspec.Struct):
    document_id: str = ""


def read_dead(partition: int, selector: Selector, most: int) -> Reading[tuple[list[DeadView], int]]:
    """The newest dead documents that may be replayed, at most ``most``; and how many there are."""
    found = yield from read_pieces(partition, "dead", _Batch)
    meant = [row for row in {r.batch: r for r in found}.values() if _is_meant(row, selector)]
    total = sum(row.documents for row in meant)
    newest = sorted(meant, key=lambda row: (row.died_ms, row.batch), reverse=True)[:most]
    base = keys.prefix(partition)
    commands: list[Command] = [("HGETALL", f"{base}:b{row.batch}") for row in newest]
    commands += [("LRANGE", f"{base}:p{row.batch}", 0, -1) for row in newest]
    replies = (yield commands) if commands else []
    documents: list[DeadView] = []
    for row, fields, pieces in zip(
        newest, replies[: len(newest)], replies[len(newest) :], strict=True
    ):
        if isinstance(fields, dict) and isinstance(pieces, list):
            documents += _views(row, fields, pieces)
    return documents[:most], total


def _is_meant(row: _Batch, selector: Selector) -> bool:
    return row.documents > 0 and selector.covers(row.scope, row.lane)


def _views(row: _Batch, fields: dict[bytes, bytes], pieces: list[bytes]) -> list[DeadView]:
    entry = BatchEntry({name.decode(): value for name, value in fields.items()})
    at = datetime.fromtimestamp(row.died_ms / 1000, UTC)
    return [
        DeadView(_name(raw), row.scope, row.lane, entry.reason, at)
        for place, raw in enumerate(_BETWEEN.join(pieces).split(_BETWEEN))
        if entry.letter(place) == "x"
    ]


def _name(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=_Named).document_id
    except msgspec.DecodeError:
        return ""
