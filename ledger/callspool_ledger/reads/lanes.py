"""The lanes: what keeps each from sending, which come first, and which hold one document."""

from __future__ import annotations

import heapq
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from callspool.request.identity import Scope
from callspool_ledger.reads.campaigns import (
    CampaignName,
    CampaignTables,
    campaign_commands,
    read_capped,
    tables_of,
)
from callspool_ledger.reads.gates import UNREAD, gate_commands, gates_of
from callspool_ledger.reads.reading import PIECE, Reading, join_lists, merged_by, read_pieces
from callspool_ledger.reads.snapshot import read_metrics
from callspool_ledger.reads.views import LaneView
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.hours.record import CampaignRecord
    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.campaigns import Bar, CappedLane
    from callspool_ledger.reads.reading import Trips
    from callspool_ledger.reads.views import GateView
    from callspool_ledger.selectors import Selector


Value = TypeVar("Value")


class _LaneRow(NamedTuple):
    lane: str
    account: str
    space_token: str
    campaign: str
    pilot: str
    waiting: int
    unsettled: int
    zones: str


class _RestingLane(NamedTuple):
    lane: str
    opened_ms: int


class GatesBefore:
    """Finds what keeps a lane from sending, among many lanes: pauses before parked gates before
    what its campaign's record says.
    """

    def __init__(
        self, gates: list[GateView], tables: CampaignTables, capped: Sequence[CappedLane] = ()
    ) -> None:
        self._tables = tables
        self._capped = {each.lane: each for each in capped}
        self._pauses = [gate for gate in gates if gate.kind == "paused"]
        self._parked = {gate.name: gate for gate in gates if gate.kind == "parked"}

    def find(self, scope: Scope, lane: str) -> GateView | None:
        """Returns the widest gate before a lane; None if the lane may send."""
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

    def find_bar(self, scope: Scope, zones: str) -> Bar | None:
        """Returns what of its campaign keeps a lane from sending, if anything."""
        return self._tables.find_bar(CampaignName(scope.account, scope.campaign), zones)

    def find_cap(self, lane: str, waiting: int) -> Bar | None:
        """Returns the cap for which all documents of a lane wait, if one does."""
        capped = self._capped.get(lane)
        return capped.bar if capped and capped.documents >= waiting else None

    def record_of(self, scope: Scope) -> CampaignRecord | None:
        """Returns what was asked for by the campaign of a scope."""
        view = self._tables.campaigns.get(CampaignName(scope.account, scope.campaign))
        return view.record if view else None


def read_before(keys: PartitionKeys) -> Trips[GatesBefore]:
    """Reads all that may keep lanes from sending."""
    paused, parked, *tables = yield [*gate_commands(keys), *campaign_commands(keys)]
    capped = yield from read_capped(keys)
    return GatesBefore(gates_of(paused, parked), tables_of(tables), capped)


def read_lane_gates(keys: PartitionKeys, lanes: Sequence[str]) -> Trips[dict[str, GateView]]:
    """Reads what is paused or parked before lanes, by the lanes that may not send."""
    if not lanes:
        return {}
    gates = gates_of(*(yield gate_commands(keys)))
    if not gates:
        return {}
    before = GatesBefore(gates, CampaignTables(0, {}, {}, {}))
    scopes = yield from read_lane_scopes(lanes).trips(keys)
    found = {lane: before.find(scope, lane) for lane, scope in scopes.items()}
    return {lane: gate for lane, gate in found.items() if gate is not None}


@merged_by(join_lists)
def read_lanes(keys: PartitionKeys) -> Trips[list[LaneView]]:
    """Reads every lane with unsettled documents."""
    before = yield from read_before(keys)
    rows = yield from read_pieces(keys, "lanes", _LaneRow)
    return list({row.lane: _view(row, before) for row in rows}.values())


def read_lane_states(keys: PartitionKeys) -> Trips[dict[str, int]]:
    """Reads how many lanes are in each state."""
    counted: Counter[str] = Counter()
    for (_, state), number in (yield from read_metrics().trips(keys)).lanes.items():
        counted[state] += number
    return {"open": 0, "paused": 0, "parked": 0} | counted


def _join_dicts(parts: list[dict[str, Value]]) -> dict[str, Value]:
    return {lane: value for part in parts for lane, value in part.items()}


@merged_by(_join_dicts)
def read_lane_scopes(keys: PartitionKeys, lanes: Sequence[str]) -> Trips[dict[str, Scope]]:
    """Reads the scopes of those lanes that hold documents."""
    fields = ("account", "space", "campaign")
    asked: list[Command] = [("HMGET", keys.lane(lane), *fields) for lane in lanes]
    replies: list[Any] = (yield asked) if asked else []
    return {
        lane: Scope(*(part.decode() for part in parts))
        for lane, parts in zip(lanes, replies, strict=True)
        if None not in parts
    }


@merged_by(_join_dicts)
def read_oldest(keys: PartitionKeys, lanes: Sequence[str]) -> Trips[dict[str, datetime]]:
    """Reads when the batch was opened that waits longest in each lane, if one does."""
    script = load("reads/oldest")
    oldest: dict[str, int] = {}
    for at in range(0, len(lanes), PIECE):
        piece = lanes[at : at + PIECE]
        (reply,) = yield [script.call([keys.prefix], [msgspec.json.encode(piece)])]
        found = msgspec.json.decode(reply, type=list[int]) if isinstance(reply, bytes) else []
        oldest |= {lane: ms for lane, ms in zip(piece, found, strict=True) if ms}
    wanted = frozenset(lanes)
    for lane, opened_ms in (yield from read_resting(keys)).items():
        if lane in wanted:
            oldest[lane] = min(opened_ms, oldest.get(lane, opened_ms))
    return {lane: datetime.fromtimestamp(ms / 1000, UTC) for lane, ms in oldest.items()}


def read_resting(keys: PartitionKeys) -> Trips[dict[str, int]]:
    """Reads the lanes with batches that wait until a time: when the first of them
    was opened, ms."""
    found: dict[str, int] = {}
    for lane, opened_ms in (yield from read_pieces(keys, "resting", _RestingLane)):
        found[lane] = min(opened_ms, found.get(lane, opened_ms))
    return found


SAMPLE = 200
"""Lanes that are looked at, at most."""

ENOUGH = 20
"""Lanes of one document that are worth a word."""

ADVICE = (
    "a request's context, pilot or schedule that differs for every contact makes a lane of one"
    " document each, and no batch fills: put such text into the document's own context"
)


class OneDocumentLanes(NamedTuple):
    """How many lanes there are, how many of them were looked at, and how many of those hold one."""

    lanes: int
    seen: int
    alone: int

    @property
    def is_usual(self) -> bool:
        """Whether most of many lanes hold one document alone."""
        return self.alone >= ENOUGH and 2 * self.alone > self.seen


def _add_up(parts: list[OneDocumentLanes]) -> OneDocumentLanes:
    return OneDocumentLanes(*map(sum, zip(*parts, strict=True)))


@merged_by(_add_up)
def read_one_document_lanes(keys: PartitionKeys) -> Trips[OneDocumentLanes]:
    """Reads whether lanes hold one document each, by at most `SAMPLE` of them."""
    number, some = yield [("SCARD", keys.lanes), ("SRANDMEMBER", keys.lanes, SAMPLE)]
    lanes = some if isinstance(some, list | set) else []
    asked: list[Command] = [("HGET", keys.lane(lane.decode()), "unsettled") for lane in lanes]
    held = (yield asked) if asked else []
    alone = sum(1 for each in held if each == b"1")
    return OneDocumentLanes(number if isinstance(number, int) else 0, len(asked), alone)


LaneOrder: TypeAlias = Literal["waiting", "oldest"]

_BEHIND_ALL = 1e18
_FIELDS = ("account", "space", "campaign", "pilot", "waiting", "unsettled", "zones")


class TopLane(NamedTuple):
    """A lane that comes before others; the least ``rank`` comes first."""

    view: LaneView
    rank: float


class _RankedLane(NamedTuple):
    """A lane; the least ``rank`` comes first: minus the documents that wait, or ms."""

    lane: str
    account: str
    space_token: str
    campaign: str
    pilot: str
    waiting: int
    unsettled: int
    rank: float
    zones: str


def read_top_lanes(
    selector: Selector, order: LaneOrder, most: int
) -> Reading[tuple[list[TopLane], int]]:
    """Reads the lanes in which most documents wait, or which wait for longest; and how many lanes
    the selector means, which names none itself.
    """
    return Reading(
        lambda keys: _read_top_lanes(keys, selector, order, most),
        lambda parts: (
            heapq.nsmallest(most, join_lists([lanes for lanes, _ in parts]), key=_place_of),
            sum(total for _, total in parts),
        ),
    )


def _place_of(lane: TopLane) -> tuple[float, str]:
    return lane.rank, lane.view.lane


def _read_top_lanes(
    keys: PartitionKeys, selector: Selector, order: LaneOrder, most: int
) -> Trips[tuple[list[TopLane], int]]:
    before = yield from read_before(keys)
    found, total = yield from _scan(keys, selector, order, most)
    if order == "oldest":
        resting = yield from _read_ranked(keys, (yield from read_resting(keys)))
        meant = [row for row in resting if selector.covers(Scope(*row[1:4]), row.lane)]
        found = _first([*meant, *found], most)
    return [TopLane(_view(row, before), row.rank) for row in found], max(total, len(found))


def _scan(
    keys: PartitionKeys, selector: Selector, order: LaneOrder, most: int
) -> Trips[tuple[list[_RankedLane], int]]:
    wanted = {"account": selector.account, "space": selector.space_token}
    wanted["campaign"] = selector.campaign
    given = msgspec.json.encode({name: part for name, part in wanted.items() if part is not None})
    script = load("reads/top_lanes")
    cursor: bytes | str = "0"
    found: list[_RankedLane] = []
    total = 0
    while True:
        last = (found[-1].rank, found[-1].lane) if len(found) == most else (_BEHIND_ALL, "")
        (reply,) = yield [script.call([keys.prefix], [cursor, PIECE, most, order, given, *last])]
        if not isinstance(reply, list):
            raise TypeError(f"top_lanes answered {type(reply).__name__}, not a list")
        cursor, number, rows = reply
        found = _first([*found, *msgspec.json.decode(rows, type=list[_RankedLane])], most)
        total += number
        if cursor in {b"0", "0"}:
            return found, total


def _read_ranked(keys: PartitionKeys, opened: dict[str, int]) -> Trips[list[_RankedLane]]:
    """Reads these lanes, ranked by when their batch was opened."""
    replies = (yield [("HMGET", keys.lane(lane), *_FIELDS) for lane in opened]) if opened else []
    found = []
    for (lane, ms), parts in zip(opened.items(), replies, strict=True):
        if isinstance(parts, list) and None not in parts[:6]:
            account, space, campaign, pilot = (part.decode() for part in parts[:4])
            waiting, unsettled, zones = int(parts[4]), int(parts[5]), (parts[6] or b"").decode()
            row = (lane, account, space, campaign, pilot, waiting, unsettled, float(ms), zones)
            found.append(_RankedLane(*row))
    return found


def _first(rows: Sequence[_RankedLane], most: int) -> list[_RankedLane]:
    """Returns each lane once, by its least rank."""
    found: dict[str, _RankedLane] = {}
    for row in sorted(rows, key=lambda row: (row.rank, row.lane)):
        found.setdefault(row.lane, row)
    return list(found.values())[:most]


def _view(row: _RankedLane | _LaneRow, before: GatesBefore) -> LaneView:
    scope = Scope(row.account, row.space_token, row.campaign)
    gate, bar = before.find(scope, row.lane), before.find_bar(scope, row.zones)
    bar = bar or before.find_cap(row.lane, row.waiting)
    return LaneView(row.lane, scope, row.pilot, row.waiting, row.unsettled, gate, row.zones, bar)
