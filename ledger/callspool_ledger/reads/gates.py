"""What is not sent now, and why: gates that workers park, and what operators paused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from callspool_ledger import keys
from callspool_ledger.reads.views import GateView
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool.redis_io.scripts import Command
    from callspool_ledger.reads.driving import Reading


UNREAD = "unread:"
"""Gates of spaces that are read back before they send, since Redis restarted."""


class _Parked(msgspec.Struct):
    since: float
    reason: str = ""
    code: str = ""
    down: bool = False
    stuck: bool = False


class _Paused(msgspec.Struct):
    since: float
    by: str = ""


def gate_commands(partition: int) -> list[Command]:
    """The commands whose two replies `gates_of` reads."""
    base = keys.prefix(partition)
    return [("HGETALL", f"{base}:pauses"), ("HGETALL", f"{base}:gates")]


def gates_of(paused: object, parked: object) -> list[GateView]:
    """What is paused, then what is parked, each the widest first."""
    return [*_views(paused, _paused), *_views(parked, _parked)]


def read_gates(partition: int) -> Reading[list[GateView]]:
    """The round trip that reads them."""
    paused, parked = yield gate_commands(partition)
    return gates_of(paused, parked)


def _views(reply: object, view: Callable[[str, bytes], GateView]) -> list[GateView]:
    found = reply if isinstance(reply, dict) else {}
    views = [view(name.decode(), record) for name, record in found.items()]
    return sorted(views, key=lambda gate: (len(gate.selector.as_object()), gate.name))


def _paused(name: str, record: bytes) -> GateView:
    pause = msgspec.json.decode(record, type=_Paused)
    since = _moment(pause.since)
    return GateView(name, Selector.named(name), "paused", "", "", since, pause.by)


def _parked(name: str, record: bytes) -> GateView:
    gate = msgspec.json.decode(record, type=_Parked)
    since = _moment(gate.since)
    passing = gate.down or (name.startswith(UNREAD) and not gate.stuck)
    return GateView(
        name, Selector.of_gate(name), "parked", gate.reason, gate.code, since, passing=passing
    )


def _moment(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
