"""What was refused, for the operator to read: documents, and messages as a whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from callspool_ledger import keys
from callspool_ledger.reads.views import Refused, Unreadable

if TYPE_CHECKING:
    from callspool_ledger.reads.driving import Reading


class _Record(msgspec.Struct):
    """A refusal as the worker recorded it; ``at`` in unix seconds."""

    at: float
    account: str
    message: str
    place: int | None
    document_id: str | None
    field: str
    reason: str
    document: str = ""


def read_refused(partition: int, most: int) -> Reading[list[Refused]]:
    """The documents that were refused last, the newest first."""
    (found,) = yield [("LRANGE", f"{keys.prefix(partition)}:invalid", 0, most - 1)]
    records = [msgspec.json.decode(record, type=_Record) for record in _list(found)]
    return [
        Refused(
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


def read_unreadable(partition: int, most: int) -> Reading[list[Unreadable]]:
    """The messages that no worker could read, the newest first."""
    stream = keys.dead_stream(keys.REQUESTS, partition)
    (found,) = yield [("XREVRANGE", stream, "+", "-", "COUNT", most)]
    return [_unreadable(entry_id.decode(), fields) for entry_id, fields in _list(found)]


def _unreadable(entry_id: str, fields: dict[bytes, bytes]) -> Unreadable:
    milliseconds = int(entry_id.partition("-")[0])
    return Unreadable(
        at=datetime.fromtimestamp(milliseconds / 1000, UTC),
        message=fields.get(b"dead_id", entry_id.encode()).decode(errors="replace"),
        kept_as=entry_id,
        reason=fields.get(b"dead_reason", b"").decode(errors="replace"),
        bytes=sum(len(value) for value in fields.values()),
    )


def _list(reply: object) -> list[Any]:
    return reply if isinstance(reply, list) else []
