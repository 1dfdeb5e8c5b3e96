"""The lanes, and what keeps them from sending."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from callspool.identity import Scope
from callspool.ledger.gates import read_gates
from callspool.ledger.pieces import read_pieces
from callspool.ledger.views import LaneView

if TYPE_CHECKING:
    from callspool.ledger.driving import Reading
    from callspool.ledger.views import GateView


class _Lane(NamedTuple):
    lane: str
    account: str
    space_token: str
    campaign: str
    pilot: str
    waiting: int
    unsettled: int
    oldest_ms: int


class _Resting(NamedTuple):
    lane: str
    opened_ms: int


class GatesBefore:
    """Finds what keeps a lane from sending, among many lanes: pauses before parked gates."""

    def __init__(self, gates: list[GateView]) -> None:
        self._pauses = [gate for gate in gates if gate.kind == "paused"]
        self._parked = {gate.name: gate for gate in gates if gate.kind == "parked"}

    def find(self, scope: Scope, lane: str) -> GateView | None:
        """The widest; None if the lane may send."""
        for gate in self._pauses:
            if gate.selector.covers(scope, lane):
                return gate
        if self._parked:
            account, space_token, _ = scope
            for name in (f"account:{account}", f"space:{account}|{space_token}", f"lane:{lane}"):
                if name in self._parked:
                    return self._parked[name]
        return None


def read_lanes(partition: int) -> Reading[list[LaneView]]:
    """The round trips that read every lane: those with unsettled documents."""
    before = GatesBefore((yield from read_gates(partition)))
    rows = yield from read_pieces(partition, "lanes", _Lane)
    resting = yield from read_pieces(partition, "resting", _Resting)
    oldest: dict[str, int] = {}
    for lane, opened_ms in resting:
        oldest[lane] = min(opened_ms, oldest.get(lane, opened_ms))
    return [
        _view(row, oldest.get(row.lane, 0), before) for row in {r.lane: r for r in rows}.values()
    ]


def read_lane_states(partition: int) -> Reading[dict[str, int]]:
    """The round trips that count the lanes by state."""
    gates = yield from read_gates(partition)
    before = GatesBefore(gates)
    rows = yield from read_pieces(partition, "lanes", _Lane)
    counts = {"open": 0, "paused": 0, "parked": 0}
    for row in {r.lane: r for r in rows}.values():
        gate = before.find(Scope(row.account, row.space_token, row.campaign), row.lane)
        counts[gate.kind if gate else "open"] += 1
    return counts


def _view(row: _Lane, resting_ms: int, before: GatesBefore) -> LaneView:
    scope = Scope(row.account, row.space_token, row.campaign)
    gate = before.find(scope, row.lane)
    oldest_ms = min(filter(None, (row.oldest_ms, resting_ms)), default=0)
    return LaneView(
        lane=row.lane,
        scope=scope,
        pilot=row.pilot,
        waiting=row.waiting,
        unsettled=row.unsettled,
        oldest=datetime.fromtimestamp(oldest_ms / 1000, UTC) if row.waiting and oldest_ms else None,
        state=gate.kind if gate else "open",
        gate=gate,
    )
