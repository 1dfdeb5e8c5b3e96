"""The lanes that come first, among many: found without reading all that is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import msgspec

from callspool.request.identity import Scope
from callspool_ledger import keys
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.lanes import GatesBefore, read_resting
from callspool_ledger.reads.pieces import PIECE
from callspool_ledger.reads.views import LaneView
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_ledger.reads.driving import Reading
    from callspool_ledger.selectors import Selector

Order: TypeAlias = Literal["waiting", "oldest"]

_BEHIND_ALL = 1e18
_FIELDS = ("account", "space", "campaign", "pilot", "waiting", "unsettled")


class _Ranked(NamedTuple):
    """A lane; the least ``rank`` comes first: documents waiting below nought, or ms."""

    lane: str
    account: str
    space_token: str
    campaign: str
    pilot: str
    waiting: int
    unsettled: int
    rank: float


def read_foremost(
    partition: int, selector: Selector, order: Order, most: int
) -> Reading[tuple[list[LaneView], int]]:
    """The round trips that find the lanes in which most documents wait, or which wait for longest;
    and how many lanes the selector means, which names none itself.
    """
    before = GatesBefore((yield from read_gates(partition)))
    found, total = yield from _scan(partition, selector, order, most)
    if order == "oldest":
        resting = yield from _read_ranked(partition, (yield from read_resting(partition)))
        meant = [row for row in resting if selector.covers(Scope(*row[1:4]), row.lane)]
        found = _first([*meant, *found], most)
    return [_view(row, before) for row in found], max(total, len(found))


def _scan(
    partition: int, selector: Selector, order: Order, most: int
) -> Reading[tuple[list[_Ranked], int]]:
    wanted = {"account": selector.account, "space": selector.space_token}
    wanted["campaign"] = selector.campaign
    given = msgspec.json.encode({name: part for name, part in wanted.items() if part is not None})
    script, base = load("reads/top_lanes"), keys.prefix(partition)
    cursor: bytes | str = "0"
    found: list[_Ranked] = []
    total = 0
    while True:
        last = (found[-1].rank, found[-1].lane) if len(found) == most else (_BEHIND_ALL, "")
        (reply,) = yield [script.call([base], [cursor, PIECE, most, order, given, *last])]
        if not isinstance(reply, list):
            raise TypeError(f"top_lanes answered {type(reply).__name__}, not a list")
        cursor, number, rows = reply
        found = _first([*found, *msgspec.json.decode(rows, type=list[_Ranked])], most)
        total += number
        if cursor in {b"0", "0"}:
            return found, total


def _read_ranked(partition: int, opened: dict[str, int]) -> Reading[list[_Ranked]]:
    """The round trip that reads these lanes, ranked by when their batch was opened."""
    base = keys.prefix(partition)
    replies = (yield [("HMGET", f"{base}:l{lane}", *_FIELDS) for lane in opened]) if opened else []
    found = []
    for (lane, ms), parts in zip(opened.items(), replies, strict=True):
        if isinstance(parts, list) and None not in parts:
            account, space, campaign, pilot = (part.decode() for part in parts[:4])
            waiting, unsettled = map(int, parts[4:])
            found.append(
                _Ranked(lane, account, space, campaign, pilot, waiting, unsettled, float(ms))
            )
    return found


def _first(rows: Sequence[_Ranked], most: int) -> list[_Ranked]:
    """Each lane once, by its least rank."""
    found: dict[str, _Ranked] = {}
    for row in sorted(rows, key=lambda row: (row.rank, row.lane)):
        found.setdefault(row.lane, row)
    return list(found.values())[:most]


def _view(row: _Ranked, before: GatesBefore) -> LaneView:
    scope = Scope(row.account, row.space_token, row.campaign)
    gate = before.find(scope, row.lane)
    return LaneView(row.lane, scope, row.pilot, row.waiting, row.unsettled, gate)
