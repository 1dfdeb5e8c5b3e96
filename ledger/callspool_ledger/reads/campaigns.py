"""What operators asked for by campaign, and when its contacts may be called."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from callspool.hours.caps import CapReached
from callspool.hours.record import HOLD, CampaignRecord, find_closing_platform
from callspool.hours.zones import OWN, UNKNOWN, Interval, ZoneClass, zone_named
from callspool_ledger.reads.reading import merged_by, of_one_space
from callspool_ledger.scripts import load
from callspool_ledger.selectors import SEPARATOR

MOST_ZONES_NAMED = 3
CAPPED_LOOKED_AT = 500
"""Batches that wait for caps whose documents are counted, at most."""
SEPARATOR_OF_DOCUMENTS = b"\x1e"

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.reading import Trips


class CampaignName(NamedTuple):
    """The documents that a record is about: those of one account with this campaign, or none."""

    account: str
    campaign: str

    @property
    def key(self) -> str:
        """The field of P:campaigns for it (`keys`)."""
        return SEPARATOR.join(self)


class CampaignView(NamedTuple):
    """What holds for a campaign; ``revision`` counts the changes of all campaigns."""

    name: CampaignName
    revision: int
    record: CampaignRecord


class OpeningView(NamedTuple):
    """When a class of zones is open, as it was computed for a revision of its campaign."""

    revision: int
    computed_ms: int
    intervals: list[Interval]


class Bar(msgspec.Struct, frozen=True):
    """What of its campaign keeps a lane from sending.

    ``kind``: hours, cap, starts or pace; sorting for documents that wait to be sorted by zones, and
    computing where workers have not found out yet when a class is open. ``opens``: when it may go
    on, None where that is not known. ``zones``: the class of zones. ``source``: what tells the
    zone, where one contact is meant. ``zone``: the campaign's, of contacts whose zone is not known.
    ``cap``: how often its number may be called, in words. ``platform``: the zone of the platform's
    own hours, where these and not the campaign's keep it closed; ``*`` for the contact's zones.
    """

    kind: str
    opens: datetime | None
    zones: str = ""
    source: str = ""
    zone: str = ""
    cap: str = ""
    platform: str = ""

    @property
    def passing(self) -> bool:
        """Whether it opens by itself before long."""
        return self.kind in {"pace", "sorting", "computing"}

    @property
    def reason(self) -> str:
        """The bar in words."""
        at = self.opens.astimezone().isoformat(sep=" ", timespec="seconds") if self.opens else ""
        if self.kind == "starts":
            return f"its campaign starts {at}"
        if self.kind in {"cap", "pace"}:
            cap = f"cap: at most {self.cap}; it frees {at}"
            return cap if self.kind == "cap" else f"the pace of its campaign: it goes on {at}"
        if self.kind == "sorting":
            return "calling hours: it waits to be sorted by its zone"
        if self.kind == "computing":
            return "calling hours: workers compute when it opens"
        if not at and self._is_held:
            return "calling hours: its zone is not known, so it is held"
        told_by = f", told by its {self.source}" if self.source in {"field", "number"} else ""
        when = f"opens {at}" if at else "closed for the next 72 hours"
        used = f", so {self.zone} is used" if self.zone and self.zones.startswith(UNKNOWN) else ""
        zones = f"{describe_zones(self.zones)}{told_by}{used}{self._of_platform}"
        return f"calling hours: {when} ({zones})"

    @property
    def _of_platform(self) -> str:
        """What the platform's own hours have to do with it."""
        if not self.platform:
            return ""
        where = "the contact's own zone" if self.platform == OWN else self.platform
        if self.opens is None:
            return f"; closed by the platform's hours in {where}"
        zone = ZoneClass.from_name(self.zones).zones[:1] if self.platform == OWN else (where,)
        clock = f"{self.opens.astimezone(zone_named(*zone)):%H:%M} in {where}" if zone else where
        return f"; the platform's hours begin then, at {clock}"

    @property
    def _is_held(self) -> bool:
        return self.zones.startswith(UNKNOWN) and self.zone in {"", HOLD}

    @property
    def next_step(self) -> str:
        """What will happen, or the command that would change it."""
        if self.opens is not None:
            at = self.opens.astimezone().isoformat(sep=" ", timespec="seconds")
            if self.platform:
                return f"It may be sent from {at} on; CALLSPOOL_PLATFORM_HOURS changes that."
            return f"It may be sent from {at} on; `callspool campaign set` changes that."
        if self.kind in {"sorting", "computing"}:
            return "Workers find out when it may be called; then it obeys its calling hours."
        if self._is_held:
            return "It is held: `callspool campaign set --zone ZONE` says when such are called."
        return "It is sent when its calling hours come; `callspool campaign set` changes them."

    def name_source(self, record: CampaignRecord, documents: Sequence[bytes], place: int) -> Bar:
        """Returns the bar of one document, with what tells its zone."""
        if place >= len(documents):
            return self  # it was settled a moment ago
        from callspool.hours.numbers import Classifier  # noqa: PLC0415 - the phone library, seldom
        from callspool.request.raw_document import read_number  # noqa: PLC0415 - as above

        document = documents[place]
        classifier = Classifier({}, record.zone_field)
        _, source = classifier.explain(read_number(document), document)
        return msgspec.structs.replace(self, source=source)


class CampaignTables(NamedTuple):
    """The records of a partition's campaigns, when their classes are open, and until when they rest
    by their pace; ``now_ms`` by Redis' clock.
    """

    now_ms: int
    campaigns: Mapping[CampaignName, CampaignView]
    openings: Mapping[tuple[CampaignName, str], OpeningView]
    paced: Mapping[CampaignName, int]

    def find_bar(self, name: CampaignName, zones: str) -> Bar | None:
        """Returns what keeps a lane of a class from sending now; None if its campaign does not."""
        view = self.campaigns.get(name)
        if view is None:
            return None
        record = view.record
        if record.starts is not None and self.now_ms < record.starts:
            return Bar("starts", moment_of(record.starts))
        if record.timed:
            if not zones or ZoneClass.from_name(zones).field != record.zone_field:
                return Bar("sorting", None)
            opening = self.openings.get((view.name, zones))
            if opening is None or opening.revision != view.revision:
                return Bar("computing", None, zones)
            opens = self._opens(opening)
            if opens != self.now_ms:
                found = moment_of(opens) if opens else None
                now = moment_of(self.now_ms)
                theirs = find_closing_platform(record, zones, now, found)
                return Bar("hours", found, zones, zone=record.zone, platform=theirs)
        rests_till = self.paced.get(name, 0) if record.pace else 0
        return Bar("pace", moment_of(rests_till)) if rests_till > self.now_ms else None

    def _opens(self, opening: OpeningView) -> int | None:
        """When a class may be called, now or later; None where that is not known."""
        later = (each for each in opening.intervals if each.end > self.now_ms)
        return next((max(each.start, self.now_ms) for each in later), None)


def cap_bar(entry: BatchEntry) -> Bar | None:
    """Returns what keeps a batch from being sent whose numbers were called often enough."""
    written = entry.capped
    if not written or entry.phase != "resting":
        return None
    reached = CapReached.from_text(written)
    return Bar("cap", moment_of(entry.due_ms), cap=str(reached))


class CappedLane(NamedTuple):
    """A lane with documents whose numbers were called often enough: how many, and until when the
    first of them waits. ``is_more``: others were not counted.
    """

    lane: str
    account: str
    campaign: str
    documents: int
    due_ms: int
    capped: str
    is_more: bool

    @property
    def bar(self) -> Bar:
        """What keeps these documents from being sent."""
        return Bar("cap", moment_of(self.due_ms), cap=str(CapReached.from_text(self.capped)))


def read_capped(keys: PartitionKeys) -> Trips[list[CappedLane]]:
    """Reads which lanes hold documents whose numbers were called often enough."""
    (is_any,) = yield [("EXISTS", keys.capped)]
    if not is_any:
        return []
    (rows,) = yield [load("reads/capped").call([keys.prefix], [CAPPED_LOOKED_AT])]
    return msgspec.json.decode(rows, type=list[CappedLane]) if isinstance(rows, bytes) else []


def describe_zones(class_name: str) -> str:
    """Returns a class of zones in words."""
    names = ZoneClass.from_name(class_name).zones
    if len(names) <= MOST_ZONES_NAMED:
        return " and ".join(names) or "zone unknown"
    return f"{names[0]}, {names[1]} and {len(names) - 2} more zones"


def moment_of(ms: int) -> datetime:
    """Returns a time of the ledger as users read it."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def campaign_commands(keys: PartitionKeys) -> list[Command]:
    """Returns the commands whose replies `tables_of` reads."""
    return [("TIME",), *(("HGETALL", key) for key in (keys.campaigns, keys.hours, keys.paced))]


def tables_of(replies: Sequence[Any]) -> CampaignTables:
    """Returns what the replies to `campaign_commands` hold."""
    (seconds, micros), campaigns, hours, paced = replies
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    views = [*filter(None, map(_view, campaigns.items()))]
    openings = dict(map(_opening, hours.items()))
    rests = {
        CampaignName(*name): int(till)
        for name, till in ((field.decode().split(SEPARATOR), till) for field, till in paced.items())
        if len(name) == len(CampaignName._fields)
    }
    return CampaignTables(now_ms, {view.name: view for view in views}, openings, rests)


def _view(written: tuple[bytes, bytes]) -> CampaignView | None:
    """None for what this release cannot read: nothing is computed for it, so it is closed."""
    revision, _, record = written[1].partition(b" ")
    with suppress(msgspec.MsgspecError):
        found = msgspec.json.decode(record, type=CampaignRecord)
        return CampaignView(
            CampaignName(*written[0].decode().split(SEPARATOR)), int(revision), found
        )
    return None


def _opening(written: tuple[bytes, bytes]) -> tuple[tuple[CampaignName, str], OpeningView]:
    account, campaign, zones = written[0].decode().split(SEPARATOR)
    revision, computed, intervals = written[1].decode().split(" ")
    pairs = (each.split("-") for each in intervals.split(",") if each)
    found = [Interval(int(start), int(end)) for start, end in pairs]
    name = CampaignName(account, campaign)
    return (name, zones), OpeningView(int(revision), int(computed), found)


def _merge(parts: list[CampaignTables]) -> CampaignTables:
    """Joins what partitions say; of the changes of one campaign the last one counts."""
    campaigns: dict[CampaignName, CampaignView] = {}
    openings: dict[tuple[CampaignName, str], OpeningView] = {}
    paced: dict[CampaignName, int] = {}
    for part in parts:
        for name, view in part.campaigns.items():
            campaigns.setdefault(name, view)
        for key, opening in part.openings.items():
            # Each partition counts its changes by itself.
            here, there = part.campaigns.get(key[0]), campaigns.get(key[0])
            is_current = here is not None and here.revision == opening.revision
            if key not in openings or is_current:
                revision = there.revision if is_current and there else -1
                openings[key] = opening._replace(revision=revision)
        for name, till in part.paced.items():
            paced[name] = min(till, paced.get(name, till))
    return CampaignTables(parts[0].now_ms, campaigns, openings, paced)


@merged_by(_merge)
def read_campaigns(keys: PartitionKeys) -> Trips[CampaignTables]:
    """Reads what operators asked for by campaign, and when its contacts may be called."""
    return tables_of((yield campaign_commands(keys)))


def join_documents(pieces: object) -> list[bytes]:
    """Returns the raw documents of a batch, one for each place."""
    joined = SEPARATOR_OF_DOCUMENTS.join(pieces) if isinstance(pieces, list) else None
    return [] if joined is None else joined.split(SEPARATOR_OF_DOCUMENTS)


@of_one_space
def read_bars(keys: PartitionKeys, lanes: Sequence[str]) -> Trips[dict[str, Bar]]:
    """Reads what of their campaigns keeps lanes from sending."""
    if not lanes:
        return {}
    asked: list[Command] = [
        ("HMGET", keys.lane(lane), "account", "campaign", "zones") for lane in lanes
    ]
    replies: list[Any] = yield [*campaign_commands(keys), *asked]
    of_tables = len(replies) - len(lanes)
    tables, found = tables_of(replies[:of_tables]), {}
    for lane, (account, campaign, zones) in zip(lanes, replies[of_tables:], strict=True):
        if account is not None:
            name = CampaignName(account.decode(), campaign.decode())
            found[lane] = tables.find_bar(name, (zones or b"").decode())
    return {lane: bar for lane, bar in found.items() if bar is not None}
