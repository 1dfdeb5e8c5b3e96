"""What operators did, as the ledger's journal keeps it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from callspool_ledger import keys
from callspool_ledger.reads.views import JournalEntry
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Command
    from callspool.request.identity import Scope
    from callspool_ledger.reads.driving import Reading

KEPT = 1000
"""Entries that the ledger keeps (`journal.lua` of the worker)."""


class _Asked(msgspec.Struct):
    account: str | None = None
    space_token: str | None = None
    campaign: str | None = None
    lane: str | None = None
    document_id: str | None = None


class _Record(msgspec.Struct):
    at: float
    by: str
    command: str
    selector: _Asked
    documents: int = 0
    messages: int = 0
    opened: int = 0


def journal_command(partition: int, last: int, most: int) -> Command:
    """The command that reads the last entries, the newest first; ``last`` is the newest one's."""
    numbers = range(last, max(0, last - min(most, KEPT)), -1)
    return ("HMGET", f"{keys.prefix(partition)}:journal", *(list(numbers) or [0]))


def entries_of(last: int, reply: object) -> list[JournalEntry]:
    """The entries that the reply to `journal_command` holds."""
    records = reply if isinstance(reply, list) else []
    return [_entry(last - at, record) for at, record in enumerate(records) if record]


def read_journal(partition: int, most: int) -> Reading[list[JournalEntry]]:
    """The round trips that read the last entries, the newest first."""
    (number,) = yield [("HGET", f"{keys.prefix(partition)}:meta", "journal")]
    last = int(number) if isinstance(number, bytes) else 0
    (reply,) = yield [journal_command(partition, last, most)]
    return entries_of(last, reply)


def about(
    entries: Sequence[JournalEntry], scope: Scope, lane: str, document_id: str, since: datetime
) -> list[JournalEntry]:
    """Those that concern a document which was accepted at ``since``, the oldest first."""
    return [
        entry
        for entry in reversed(entries)
        if entry.at >= since
        and not entry.messages
        and entry.document_id in {None, document_id}
        and entry.selector.covers(scope, lane)
    ]


def _entry(number: int, record: bytes) -> JournalEntry:
    found = msgspec.json.decode(record, type=_Record)
    asked = found.selector
    return JournalEntry(
        number=number,
        at=datetime.fromtimestamp(found.at / 1000, UTC),
        by=found.by,
        command=found.command,
        selector=Selector(asked.account, asked.space_token, asked.campaign, asked.lane),
        document_id=asked.document_id,
        documents=found.documents,
        messages=found.messages,
        opened=found.opened,
    )
