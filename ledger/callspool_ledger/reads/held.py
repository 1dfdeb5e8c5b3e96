"""What waits because of what operators asked for, and lanes that are yet to be sorted by zones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from callspool_ledger.reads.campaigns import (
    Bar,
    CampaignName,
    campaign_commands,
    moment_of,
    read_capped,
    tables_of,
)
from callspool_ledger.reads.reading import merged_by, of_one_space
from callspool_ledger.scripts import load
from callspool_ledger.selectors import SEPARATOR

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips

LANES_LOOKED_AT = 200
"""Lanes behind one bar whose documents are counted, at most."""


class HeldLanes(NamedTuple):
    """Lanes of a campaign that wait behind one bar, and the documents that wait in them; None where
    the lanes are too many to look at.
    """

    name: CampaignName
    bar: Bar
    lanes: int
    documents: int | None


class _HeldRow(NamedTuple):
    kind: str
    account: str
    campaign: str
    zones: str
    lanes: int
    documents: int


def join_held(parts: list[list[HeldLanes]]) -> list[HeldLanes]:
    """Returns what all partitions hold, each campaign's bar once."""
    found: dict[tuple[CampaignName, str, str], HeldLanes] = {}
    for held in (each for part in parts for each in part):
        key = (held.name, held.bar.kind, held.bar.zones)
        known = found.get(key)
        if known is not None:
            counted = None not in {known.documents, held.documents}
            documents = (known.documents or 0) + (held.documents or 0) if counted else None
            held = held._replace(lanes=known.lanes + held.lanes, documents=documents)  # noqa: PLW2901
        found[key] = held
    return list(found.values())


@merged_by(join_held)
def read_held(keys: PartitionKeys) -> Trips[list[HeldLanes]]:
    """Reads which lanes wait because of what was asked for by campaign, and what waits for caps."""
    found = []
    for lane in (yield from read_capped(keys)):
        count = None if lane.is_more else lane.documents
        found.append(HeldLanes(CampaignName(lane.account, lane.campaign), lane.bar, 1, count))
    (is_any,) = yield [("EXISTS", keys.campaigns)]
    if not is_any:
        return join_held([found])
    script = load("reads/held")
    *replies, rows = yield [*campaign_commands(keys), script.call([keys.prefix], [LANES_LOOKED_AT])]
    tables = tables_of(replies)
    for row in msgspec.json.decode(rows, type=list[_HeldRow]) if isinstance(rows, bytes) else []:
        name = CampaignName(row.account, row.campaign)
        count = None if row.documents < 0 else row.documents
        bar = tables.find_bar(name, row.zones)
        opens = bar.opens if bar else moment_of(tables.now_ms)
        kind = "sorting" if row.kind == "unsorted" else row.kind
        kind = bar.kind if bar and bar.kind == "computing" else kind
        about = {"zone": bar.zone, "platform": bar.platform} if bar else {}
        bar = Bar(kind, opens, row.zones, **about)
        found.append(HeldLanes(name, bar, row.lanes, count))
    return join_held([found])


class UnsortedLane(NamedTuple):
    """A lane whose documents have to be sorted by their zones, and the batch that is next there."""

    lane: str
    name: CampaignName
    batch: int


@of_one_space
def read_unsorted(keys: PartitionKeys, most: int) -> Trips[list[UnsortedLane]]:
    """Reads some lanes with documents that have to be sorted by their zones."""
    (some,) = yield [("SRANDMEMBER", keys.unsorted, most)]
    lanes = [lane.decode() for lane in some] if isinstance(some, list) else []
    asked: list[Command] = []
    for lane in lanes:
        asked.append(("HMGET", keys.lane(lane), "account", "campaign"))
        asked.append(("LINDEX", keys.queue(lane), 0))
    replies: list[Any] = (yield asked) if asked else []
    return [
        UnsortedLane(lane, CampaignName(*(part.decode() for part in name)), int(batch))
        for lane, name, batch in zip(lanes, replies[::2], replies[1::2], strict=True)
        if None not in name and batch is not None
    ]


@of_one_space
def read_active(keys: PartitionKeys) -> Trips[set[CampaignName]]:
    """Reads the campaigns with documents that are not settled."""
    (scopes,) = yield [("HKEYS", keys.scopelanes)]
    found = scopes if isinstance(scopes, list) else []
    names = [scope.decode().split(SEPARATOR) for scope in found]
    return {CampaignName(account, campaign) for account, _, campaign in names}
