"""What is not sent now, and why: gates that workers park, and what operators paused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from callspool_ledger.reads.reading import merged_by
from callspool_ledger.reads.views import GateView
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.redis_io.scripts import Command
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
