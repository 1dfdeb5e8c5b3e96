"""What is not sent now, and why, and what operators did, as the ledger's journal keeps it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from callspool_ledger.reads.reading import Reading, merged_by
from callspool_ledger.reads.views import GateView, JournalEntry
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.redis_io.scripts import Command
    from callspool.request.identity import Scope
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips


UNREAD = "unread:"
"""Gates of spaces that are read back before they send, since Redis restarted."""


class _ParkedRecord(msgspec.Struct):
    since: float
    reason: str = ""
    code: str = ""
    down: bool = False
    stuck: bool = False


class _PauseRecord(msgspec.Struct):
    since: float
    by: str = ""
    note: str = ""
    till: float = 0


def gate_commands(keys: PartitionKeys) -> list[Command]:
    """Returns the commands whose two replies `gates_of` reads."""
    return [("HGETALL", keys.pauses), ("HGETALL", keys.gates)]


def gates_of(paused: object, parked: object) -> list[GateView]:
    """Returns what is paused, then what is parked, each the widest first."""
    return [*_views(paused, _pause_view), *_views(parked, _parked_view)]


def merge_gates(parts: Sequence[Sequence[GateView]]) -> list[GateView]:
    """Returns every gate once, since it was first closed; pauses first, each the widest first."""
    found: dict[tuple[str, str], GateView] = {}
    for gate in (gate for part in parts for gate in part):
        known = found.setdefault((gate.kind, gate.name), gate)
        if known is not gate:
            since, passing = min(known.since, gate.since), known.passing and gate.passing
            found[gate.kind, gate.name] = replace(known, since=since, passing=passing)
    return sorted(
        found.values(),
        key=lambda gate: (gate.kind != "paused", len(gate.selector.as_object()), gate.name),
    )


@merged_by(merge_gates)
def read_gates(keys: PartitionKeys) -> Trips[list[GateView]]:
    """Reads what is paused, then what is parked, each the widest first."""
    paused, parked = yield gate_commands(keys)
    return gates_of(paused, parked)


def _views(reply: object, view: Callable[[str, bytes], GateView]) -> list[GateView]:
    found = reply if isinstance(reply, dict) else {}
    views = [view(name.decode(), record) for name, record in found.items()]
    return sorted(views, key=lambda gate: (len(gate.selector.as_object()), gate.name))


def _pause_view(name: str, record: bytes) -> GateView:
    pause = msgspec.json.decode(record, type=_PauseRecord)
    return GateView(
        name,
        Selector.from_name(name),
        "paused",
        "",
        "",
        _moment(pause.since),
        pause.by,
        note=pause.note,
        until=_moment(pause.till) if pause.till else None,
    )


def _parked_view(name: str, record: bytes) -> GateView:
    gate = msgspec.json.decode(record, type=_ParkedRecord)
    since = _moment(gate.since)
    passing = gate.down or (name.startswith(UNREAD) and not gate.stuck)
    return GateView(
        name, Selector.of_gate(name), "parked", gate.reason, gate.code, since, passing=passing
    )


def _moment(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


KEPT = 1000
"""Entries that the ledger keeps (`journal.lua` of the worker)."""


SAME_DEED = timedelta(seconds=60)
"""Entries of different partitions that are no further apart tell of one deed of an operator."""


class _SelectorRecord(msgspec.Struct):
    account: str | None = None
    space_token: str | None = None
    campaign: str | None = None
    lane: str | None = None
    document_id: str | None = None
    list: str = ""


class _JournalRecord(msgspec.Struct):
    at: float
    by: str
    command: str
    selector: _SelectorRecord
    documents: int = 0
    messages: int = 0
    opened: int = 0
    note: str = ""
    numbers: int = 0


def journal_command(keys: PartitionKeys, last: int, most: int) -> Command:
    """Returns the command that reads the last entries; ``last`` is the newest one's number."""
    numbers = range(last, max(0, last - min(most, KEPT)), -1)
    return ("HMGET", keys.journal, *(list(numbers) or [0]))


def entries_of(last: int, reply: object) -> list[JournalEntry]:
    """Returns the entries that the reply to `journal_command` holds."""
    records = reply if isinstance(reply, list) else []
    return [_entry(last - at, record) for at, record in enumerate(records) if record]


def read_journal(most: int) -> Reading[list[JournalEntry]]:
    """Reads at most the last ``most`` deeds of operators, the newest first."""
    return Reading(
        lambda keys: read_entries(keys, most), lambda parts: merge_journals(parts)[:most]
    )


def read_entries(keys: PartitionKeys, most: int) -> Trips[list[JournalEntry]]:
    """Reads the last entries of one partition, the newest first."""
    (number,) = yield [("HGET", keys.meta, "journal")]
    last = int(number) if isinstance(number, bytes) else 0
    (reply,) = yield [journal_command(keys, last, most)]
    return entries_of(last, reply)


def merge_journals(parts: Sequence[Sequence[JournalEntry]]) -> list[JournalEntry]:
    """Returns every deed once, the newest first; what was done in several partitions is summed up.

    It keeps the number that it has in the first of them.
    """
    every = [(entry, {place}) for place, part in enumerate(parts) for entry in part]
    every.sort(key=lambda each: (each[0].at, each[0].number))
    deeds: list[tuple[JournalEntry, set[int]]] = []
    open_deeds: dict[object, int] = {}
    for entry, where in every:
        key = (entry.by, entry.command, entry.selector, entry.document_id, entry.list)
        place = open_deeds.get(key)
        if place is not None and _is_same(deeds[place], entry, where):
            known, seen = deeds[place]
            deeds[place] = _sum_of(known, entry), seen | where
        else:
            open_deeds[key] = len(deeds)
            deeds.append((entry, where))
    return [entry for entry, _ in reversed(deeds)]


def _is_same(deed: tuple[JournalEntry, set[int]], entry: JournalEntry, where: set[int]) -> bool:
    known, seen = deed
    return not seen & where and entry.at - known.at <= SAME_DEED


def _sum_of(one: JournalEntry, other: JournalEntry) -> JournalEntry:
    return replace(
        one,
        documents=one.documents + other.documents,
        messages=one.messages + other.messages,
        opened=max(one.opened, other.opened),
    )


def about(
    entries: Sequence[JournalEntry], scope: Scope, lane: str, document_id: str, since: datetime
) -> list[JournalEntry]:
    """Returns those that concern a document accepted at ``since``, the oldest first."""
    return [
        entry
        for entry in reversed(entries)
        if entry.at >= since
        and not entry.messages
        and not entry.list
        and not entry.is_about_keys
        and entry.document_id in {None, document_id}
        and entry.selector.covers(scope, lane)
    ]


def _entry(number: int, record: bytes) -> JournalEntry:
    found = msgspec.json.decode(record, type=_JournalRecord)
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
        note=found.note,
        numbers=found.numbers,
        list=asked.list,
    )
