"""The lanes, and what keeps them from sending."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.request.identity import Scope
from callspool_ledger import keys
from callspool_ledger.reads.gates import UNREAD, read_gates
from callspool_ledger.reads.metrics import read_metrics
from callspool_ledger.reads.pieces import PIECE, read_pieces
from callspool_ledger.reads.views import LaneView
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_ledger.reads.driving import Reading
    from callspool_ledger.reads.views import GateView


class _Lane(NamedTuple):
    lane: str
    account: str
    space_token: str
    campaign: str
    pilot: str
    waiting: int
    unsettled: int


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
            for name in (
                f"account:{account}",
                f"{UNREAD}{account}|{space_token}",
                f"space:{account}|{space_token}",
                f"lane:{lane}",
            ):
                if name in self._parked:
                    return self._parked[name]
        return None


def read_lanes(partition: int) -> Reading[list[LaneView]]:
    """The round trips that read every lane: those with unsettled documents."""
    before = GatesBefore((yield from read_gates(partition)))
    rows = yield from read_pieces(partition, "lanes", _Lane)
    found: dict[str, LaneView] = {}
    for lane, account, space_token, campaign, pilot, waiting, unsettled in rows:
        scope = Scope(account, space_token, campaign)
        found[lane] = LaneView(lane, scope, pilot, waiting, unsettled, before.find(scope, lane))
    return list(found.values())


def read_lane_states(partition: int) -> Reading[dict[str, int]]:
    """The round trip that counts the lanes by state."""
    counted: Counter[str] = Counter()
    for (_, state), number in (yield from read_metrics(partition)).lanes.items():
        counted[state] += number
    return {"open": 0, "paused": 0, "parked": 0} | counted


def read_oldest(partition: int, lanes: Sequence[str]) -> Reading[dict[str, datetime]]:
    """The round trips that tell when the batch was opened that waits longest in each lane."""
    script, base = load("reads/oldest"), keys.prefix(partition)
    oldest: dict[str, int] = {}
    for at in range(0, len(lanes), PIECE):
        piece = lanes[at : at + PIECE]
        (reply,) = yield [script.call([base], [msgspec.json.encode(piece)])]
        found = msgspec.json.decode(reply, type=list[int]) if isinstance(reply, bytes) else []
        oldest |= {lane: ms for lane, ms in zip(piece, found, strict=True) if ms}
    wanted = frozenset(lanes)
    for lane, opened_ms in (yield from read_resting(partition)).items():
        if lane in wanted:
            oldest[lane] = min(opened_ms, oldest.get(lane, opened_ms))
    return {lane: datetime.fromtimestamp(ms / 1000, UTC) for lane, ms in oldest.items()}


def read_resting(partition: int) -> Reading[dict[str, int]]:
    """The round trips that find lanes with batches that wait until a time: when the first of them
    was opened, ms."""
    found: dict[str, int] = {}
    for lane, opened_ms in (yield from read_pieces(partition, "resting", _Resting)):
        found[lane] = min(opened_ms, found.get(lane, opened_ms))
    return found
