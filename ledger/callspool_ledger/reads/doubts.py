"""Documents in doubt: why, since when, and how their proof stands."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from callspool.request.identity import Scope, digester, read_document_id
from callspool_ledger.reads.lookup import read_batches, read_places, read_scopes
from callspool_ledger.reads.reading import Reading, join_lists, merged_by, read_pieces
from callspool_ledger.reads.views import DoubtView
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.reading import Trips


BATCHES = 1000
"""Batches of a space that are looked through."""


@merged_by(any)
def read_is_proving(keys: PartitionKeys, accounts: Sequence[str]) -> Trips[bool]:
    """Reads whether documents of these accounts are in doubt that a look at the API may settle."""
    numbers = yield from read_doubtful(accounts).trips(keys)
    asked: list[Command] = [("HMGET", keys.batch(number), "phase", "held") for number in numbers]
    replies: list[Any] = (yield asked) if asked else []
    return any(phase == b"doubt" and not held for phase, held in replies)


@merged_by(join_lists)
def read_doubtful_spaces(keys: PartitionKeys, selector: Selector) -> Trips[list[str]]:
    """Reads the spaces with documents in doubt that a selector may mean, by their names in keys."""
    (spaces,) = yield [("ZRANGE", keys.proofs, 0, -1)]
    names = [space.decode() for space in spaces] if isinstance(spaces, list) else []
    return [name for name in names if _may_mean(selector, *name.split("|", 1))]


def _may_mean(selector: Selector, account: str, space_token: str = "") -> bool:
    return selector.account in {None, account} and selector.space_token in {None, space_token}


@merged_by(join_lists)
def read_doubtful(keys: PartitionKeys, accounts: Sequence[str] | None = None) -> Trips[list[int]]:
    """Reads the batches in doubt of these accounts, or of all, space by space."""
    names = yield from read_doubtful_spaces(Selector()).trips(keys)
    wanted = [name for name in names if accounts is None or name.partition("|")[0] in accounts]
    asked: list[Command] = [("ZRANGE", keys.doubts(name), 0, BATCHES - 1) for name in wanted]
    replies: list[Any] = (yield asked) if asked else []
    return [int(number) for number in chain.from_iterable(replies)]


_BETWEEN = b"\x1e"


class _DoubtfulBatch(NamedTuple):
    batch: int
    doubted_ms: int
    documents: int
    account: str
    space_token: str
    campaign: str
    lane: str
    held: str

    @property
    def scope(self) -> Scope:
        return Scope(self.account, self.space_token, self.campaign)


class _SpaceState(NamedTuple):
    """When a space is looked at next (None: now), and since when it cannot be read back."""

    next_look_at: datetime | None
    unreadable_since: datetime | None


def read_doubts(
    selector: Selector, most: int, *, only_held: bool = False
) -> Reading[tuple[list[DoubtView], int]]:
    """Reads the documents that are in doubt for the longest time; and how many are in doubt.

    ``only_held``: of those that no look at the API can prove.
    """

    def merge(parts: list[tuple[list[DoubtView], int]]) -> tuple[list[DoubtView], int]:
        views = join_lists([views for views, _ in parts])
        oldest = sorted(views, key=lambda view: view.since)
        return oldest[:most], sum(total for _, total in parts)

    return Reading(lambda keys: _read_doubts(keys, selector, most, only_held), merge)


def _read_doubts(
    keys: PartitionKeys, selector: Selector, most: int, only_held: bool
) -> Trips[tuple[list[DoubtView], int]]:
    found: dict[int, _DoubtfulBatch] = {}
    for space in (yield from read_doubtful_spaces(selector).trips(keys)):
        rows = yield from read_pieces(keys, "doubts", _DoubtfulBatch, space)
        found |= {row.batch: row for row in rows if _is_meant(row, selector, only_held)}
    oldest = sorted(found.values(), key=lambda row: (row.doubted_ms, row.batch))
    shown: list[_DoubtfulBatch] = []
    for row in oldest:
        if sum(one.documents for one in shown) >= most:
            break
        shown.append(row)
    scopes = {row.batch: row.scope for row in shown}
    documents = yield from _read_views(keys, scopes)
    return documents[:most], sum(row.documents for row in oldest)


@merged_by(join_lists)
def read_doubt(
    keys: PartitionKeys, document_id: str, selector: Selector, *, only_held: bool = False
) -> Trips[list[DoubtView]]:
    """Reads one document, in each scope of the selector where it is in doubt."""
    scopes = [
        scope for scope in (yield from read_scopes().trips(keys)) if selector.covers(scope, "")
    ]
    places = yield from read_places([digester(scope)(document_id) for scope in scopes]).trips(keys)
    wanted = "h" if only_held else "dh"
    meant = {
        place.batch: scope
        for scope, place in zip(scopes, places, strict=True)
        if place and place.letter in wanted
    }
    views = yield from _read_views(keys, meant)
    return [view for view in views if view.document_id == document_id]


def _is_meant(row: _DoubtfulBatch, selector: Selector, only_held: bool) -> bool:
    is_held = bool(row.held) or not only_held
    return row.documents > 0 and is_held and selector.covers(row.scope, row.lane)


def _read_views(keys: PartitionKeys, scopes: dict[int, Scope]) -> Trips[list[DoubtView]]:
    """Reads all documents in doubt of some batches, in their order."""
    if not scopes:
        return []
    batches = yield from read_batches(list(scopes)).trips(keys)
    asked: list[Command] = [("LRANGE", keys.documents(number), 0, -1) for number in scopes]
    payloads = yield asked
    spaces = yield from _read_spaces(keys, set(scopes.values()))
    return [
        view
        for (number, scope), pieces in zip(scopes.items(), payloads, strict=True)
        if number in batches and isinstance(pieces, list)
        for view in _views(scope, batches[number], pieces, spaces[scope[:2]])
    ]


def _read_spaces(
    keys: PartitionKeys, scopes: Iterable[Scope]
) -> Trips[dict[tuple[str, str], _SpaceState]]:
    spaces = sorted({scope[:2] for scope in scopes})
    names = ["|".join(space) for space in spaces]
    asked: list[Command] = [("TIME",), ("HMGET", keys.looking, *names)]
    asked += [("HMGET", keys.unreadable, *names)]
    asked += [("ZSCORE", keys.proofs, name) for name in names]
    replies: list[Any] = yield asked
    (seconds, micros), looking, unreadable, *due = replies
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    return {
        space: _SpaceState(
            None if _till(lease) > now_ms else _at(max(float(score or 0), now_ms)), _at(since)
        )
        for space, lease, since, score in zip(spaces, looking, unreadable, due, strict=True)
    }


def _till(lease: bytes | None) -> int:
    """Until when somebody reads a space back; 0 if nobody does."""
    return int((lease or b"0").partition(b" ")[0])


def _views(
    scope: Scope, entry: BatchEntry, pieces: Sequence[bytes], space: _SpaceState
) -> list[DoubtView]:
    since = datetime.fromtimestamp(entry.doubted_ms / 1000, UTC)
    changed = datetime.fromtimestamp(entry.changed_ms / 1000, UTC)
    answered = bool(entry.question.get("answered"))
    return [
        DoubtView(
            document_id=read_document_id(raw),
            scope=scope,
            lane=entry.lane,
            attempt=entry.attempt,
            reason=entry.reason,
            since=since,
            held=entry.held,
            answered=answered,
            found=entry.has_found,
            changed_at=changed,
            next_look_at=space.next_look_at,
            unreadable_since=space.unreadable_since,
        )
        for place, raw in enumerate(_BETWEEN.join(pieces).split(_BETWEEN))
        if entry.letter(place) == "d"
    ]


def _at(ms: float | bytes | None) -> datetime | None:
    return datetime.fromtimestamp(float(ms) / 1000, UTC) if ms else None
