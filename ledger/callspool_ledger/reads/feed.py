"""The feed: events of settled documents and ended calls, read behind a cursor.

Each partition has a stream (``lua/include/feed.lua`` writes it). One entry holds the events of one
step; a cursor says for each partition how far its reader came, within an entry too.
"""

from __future__ import annotations

import base64
import binascii
import time
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import msgspec

from callspool.errors import CursorTooOld, InvalidCursor
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.reads.entries import unpack_task_id
from callspool_ledger.reads.reading import join_lists, merged_by
from callspool_ledger.reads.views import OUTCOME_LETTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from callspool.redis_io.scripts import Command
    from callspool_ledger.reads.reading import Trips

EventType = Literal[
    "created", "dead", "cancelled", "expired", "held", "ended", "evaluated", "lost_sight"
]
"""What an event tells: a state that a document came into, or what became of its call.

``held``: it is in doubt and no look can prove it now. ``ended``: its call is over. ``evaluated``:
the outcome of a call that was over changed, by its evaluation or a follow-up.
"""


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the feed. It comes at least once, always with the same ``id``.

    ``time``: when it was written, by Redis' clock. ``outcome``: of the call, None while there is
    none. ``reason``: why it is dead, cancelled, expired or held, in the API's words where it said
    something. ``document_id`` is empty where the ledger does not know it any more.
    """

    id: str
    time: datetime
    type: EventType
    account: str
    campaign: str | None
    document_id: str
    run_id: str | None
    task_id: str | None
    outcome: str | None
    reason: str | None


class EventPage(NamedTuple):
    """Events in the order in which they were written, and the cursor behind the last of them.

    ``cursor`` is to be kept once the events were dealt with, also where there were none.
    """

    events: list[FeedEvent]
    cursor: str


class Position(NamedTuple):
    """How far a reader of a partition came: an entry's id; 0, or events of it that were read.

    0: the whole entry was read.
    """

    ms: int = 0
    number: int = 0
    events: int = 0

    @property
    def entry(self) -> str:
        """The entry's id, as Redis writes it."""
        return f"{self.ms}-{self.number}"


FORGOTTEN_AFTER = 7 * 86_400
"""Seconds without a read after which a reader is left out."""

_ONCE = frozenset({"created", "ended", "lost_sight"})
"""What happens to a task once."""

_FORMAT = 1
REPEATED_AFTER_LOSS = 600
"""Seconds of the feed that are read again where the entry that was read last is missing.

A server that takes over may lack the last entries, and its clock may lie so far behind.
"""

EVENTS_A_PAGE = 500
"""Events of a page, where the reader does not say how many."""

_ENTRIES_A_READ = 50
_ENTRIES_AT_FIRST = 5  # of a thousand events each, perhaps
_LAST_NUMBER = 2**64 - 1
_BEGIN = Position(0, 1)  # of a reader that found nothing dropped
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(tuple[int, list[tuple[int, int, int]]]).decode
_text = msgspec.json.Decoder(str).decode


def encode_cursor(positions: Sequence[Position]) -> str:
    """Returns one opaque word for the positions in all partitions."""
    packed = _encode((_FORMAT, [tuple(each) for each in positions]))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(cursor: str, partitions: int) -> list[Position]:
    """Returns the positions in a cursor; "" means the oldest event that is kept.

    Raises `InvalidCursor`.
    """
    if not cursor:
        return [Position()] * partitions
    positions = _unpack_cursor(cursor)
    if len(positions) != partitions:
        raise InvalidCursor(
            f"the cursor is of a feed with {len(positions)} partitions, this one has {partitions}:"
            " begin without a cursor"
        )
    return [Position(*each) for each in positions]


def check_cursor(cursor: str) -> None:
    """Raises `InvalidCursor` for what no feed gives out, whatever its number of partitions."""
    if cursor:
        _unpack_cursor(cursor)


def _unpack_cursor(cursor: str) -> list[tuple[int, int, int]]:
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        version, positions = _decode(packed)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        version, positions = 0, []
    if version != _FORMAT or any(number < 0 for each in positions for number in each):
        raise InvalidCursor("this is no cursor of the feed: take it from an earlier answer, whole")
    return positions


def cursor_since(moment: datetime, partitions: int) -> str:
    """Returns the cursor behind everything that was written before a moment."""
    before = max(0, round(moment.timestamp() * 1000) - 1)
    return encode_cursor([Position(before, _LAST_NUMBER)] * partitions)


class FeedPart(NamedTuple):
    """What was read of a partition: each event with the position behind it.

    ``cut``: the last entry that was dropped. ``is_lost``: it lies behind the reader's position.
    """

    events: list[tuple[FeedEvent, Position]]
    start: Position
    cut: Position

    @property
    def is_lost(self) -> bool:
        return self.start[:2] < self.cut[:2] or (
            self.start[:2] == self.cut[:2] and self.start.events > 0
        )


@merged_by(join_lists)
def read_feed(
    keys: PartitionKeys,
    positions: Sequence[Position],
    limit: int = EVENTS_A_PAGE,
    reader: str | None = None,
) -> Trips[list[FeedPart]]:
    """Reads at most ``limit`` events of each partition behind its position, for `join_page`.

    ``reader``: a name for which the ledger keeps how far it came. Where Redis lost the entry at the
    position, it begins `REPEATED_AFTER_LOSS` seconds before it.
    """
    start = at = positions[keys.partition]
    if reader is not None:
        yield [("HSET", keys.readers, reader, f"{start.entry} {round(time.time())}")]
    if start == Position():  # what is dropped from now on is told
        (cut,) = yield [("HGET", keys.meta, "feed_cut")]
        start = at = _position_of(cut) if cut else _BEGIN
    elif at.ms and at.number != _LAST_NUMBER:
        last, cut = yield [
            ("XRANGE", keys.events, at.entry, at.entry),
            ("HGET", keys.meta, "feed_cut"),
        ]
        dropped = _position_of(cut) if cut else Position()
        if not last and at[:2] > dropped[:2]:  # Redis lost it: new entries may lie before it
            again = Position(max(0, at.ms - REPEATED_AFTER_LOSS * 1000), _LAST_NUMBER)
            start = at = max(again, dropped)
    found: list[tuple[FeedEvent, Position]] = []
    count = _ENTRIES_AT_FIRST
    while True:
        first = at.entry if at.events else f"({at.entry}"
        asked: Command = ("XRANGE", keys.events, first, "+", "COUNT", count)
        entries, cut = yield [asked, ("HGET", keys.meta, "feed_cut")]
        rows = entries if isinstance(entries, list) else []
        for entry_id, fields in rows:
            entry = _position_of(entry_id)
            skipped = at.events if entry.entry == at.entry else 0
            found += _expand(keys.partition, entry, fields, skipped, limit - len(found))
            at = entry
            if len(found) >= limit:
                break
        if len(found) >= limit or len(rows) < count:
            return [FeedPart(found, start, _position_of(cut) if cut else Position())]
        count = _ENTRIES_A_READ


@merged_by(any)
def read_feed_is_off(keys: PartitionKeys) -> Trips[bool]:
    """Reads whether the worker that started last writes no events."""
    (kind,) = yield [("HGET", keys.meta, "feed")]
    return kind == b"off"


def wait_command(positions: Sequence[Position], seconds: float) -> Command:
    """Returns the command that waits until a partition has an entry behind its position."""
    streams = [PartitionKeys(partition).events for partition in range(len(positions))]
    ids = [each.entry for each in positions]
    ms = max(1, round(seconds * 1000))
    return "XREAD", "COUNT", 1, "BLOCK", ms, "STREAMS", *streams, *ids


class FeedLag(NamedTuple):
    """How far behind each named reader is, and the age of what the feed drops now, in seconds.

    The latter is None where it has dropped nothing yet.
    """

    behind: dict[str, float]
    dropped: float | None


def _join_lags(parts: list[FeedLag]) -> FeedLag:
    names = {name for part in parts for name in part.behind}
    behind = {name: max(part.behind.get(name, 0.0) for part in parts) for name in sorted(names)}
    return FeedLag(behind, min((one.dropped for one in parts if one.dropped), default=None))


@merged_by(_join_lags)
def read_lags(keys: PartitionKeys) -> Trips[FeedLag]:
    """Reads how old the oldest event is that each named reader has not read.

    Readers that were not seen for `FORGOTTEN_AFTER` are left out.
    """
    known, cut, last, clock = yield [
        ("HGETALL", keys.readers),
        ("HGET", keys.meta, "feed_cut"),
        ("XREVRANGE", keys.events, "+", "-", "COUNT", 1),
        ("TIME",),
    ]
    assert isinstance(clock, list | tuple)
    now = int(clock[0]) + int(clock[1]) / 1e6
    positions: dict[str, str] = {}
    for name, value in known.items() if isinstance(known, dict) else ():
        entry, _, seen = value.decode().partition(" ")
        if now - int(seen or 0) < FORGOTTEN_AFTER:
            positions[name.decode()] = entry
    newest = _position_of(last[0][0]) if isinstance(last, list) and last else Position()
    late = [name for name, entry in positions.items() if _position_of(entry) < newest]
    asked: list[Command] = [
        ("XRANGE", keys.events, f"({positions[name]}", "+", "COUNT", 1) for name in late
    ]
    first = (yield asked) if asked else []
    behind = dict.fromkeys(positions, 0.0)
    for name, entries in zip(late, first, strict=True):
        if isinstance(entries, list) and entries:
            behind[name] = max(0.0, now - _position_of(entries[0][0]).ms / 1000)
    return FeedLag(behind, max(0.0, now - _position_of(cut).ms / 1000) if cut else None)


def join_page(parts: Sequence[FeedPart], limit: int = EVENTS_A_PAGE) -> EventPage:
    """Returns the oldest events of all partitions, and the cursor behind them.

    Raises `CursorTooOld` if the feed dropped events that the reader has not read.
    """
    if any(part.is_lost for part in parts):
        kept = [part.cut if part.is_lost else part.start for part in parts]
        raise CursorTooOld(encode_cursor(kept))
    positions = [part.start for part in parts]
    merged = sorted(
        (behind.ms, place, number)
        for place, part in enumerate(parts)
        for number, (_, behind) in enumerate(part.events)
    )[:limit]
    events = []
    for _, place, number in merged:
        event, positions[place] = parts[place].events[number]
        events.append(event)
    return EventPage(events, encode_cursor(positions))


def _expand(
    partition: int, entry: Position, fields: Mapping[bytes, bytes], first: int, most: int
) -> Iterator[tuple[FeedEvent, Position]]:
    """Yields events of an entry, each with the position behind it.

    `lua/include/feed.lua` tells its fields.
    """
    ids, packed = fields[b"i"].decode().split("\n"), fields.get(b"k", b"")
    runs = fields.get(b"r", b"").decode().split("\n")
    letters = fields.get(b"o", b"").decode()
    campaign, reason = fields.get(b"c", b"").decode(), fields.get(b"w", b"").decode()
    what = fields[b"t"].decode()
    usual = "open" if what == "created" else None
    moment = datetime.fromtimestamp(entry.ms / 1000, UTC)
    for place in range(first, min(len(ids), first + most)):
        event = FeedEvent(
            id="",
            time=moment,
            type=cast("EventType", what),
            account=fields[b"a"].decode(),
            campaign=campaign or None,
            document_id=_text(f'"{ids[place]}"'),
            run_id=runs[place if len(runs) > 1 else 0] or None,
            task_id=unpack_task_id(packed, place),
            outcome=OUTCOME_LETTERS[letters[place]] if letters else usual,
            reason=reason or None,
        )
        name = _name_event(event, f"{entry.entry}-{place}", fields.get(b"n", b"").decode())
        yield (
            msgspec.structs.replace(event, id=f"{partition}-{name}"),
            entry._replace(events=0 if place == len(ids) - 1 else place + 1),
        )


def _name_event(event: FeedEvent, position: str, taken_back: str) -> str:
    """The event's id in its partition; what may happen again is told apart by its place."""
    told = [event.account, event.document_id, event.type, event.outcome or "", event.reason or ""]
    told += [event.run_id or "", event.task_id or "", taken_back]
    if event.type not in _ONCE or event.task_id is None:
        told.append(position)
    return blake2b("\0".join(told).encode(), digest_size=10).hexdigest()


def _position_of(entry_id: object) -> Position:
    text = entry_id.decode() if isinstance(entry_id, bytes) else str(entry_id)
    ms, _, number = text.partition("-")
    return Position(int(ms), int(number))
