"""Calls in the ledger: which are open and how late they are looked at, and when calls began."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool_ledger.reads.campaigns import CampaignName
from callspool_ledger.reads.lookup import read_batches
from callspool_ledger.reads.reading import join_lists, merged_by, of_one_space
from callspool_ledger.selectors import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.reading import Trips


@of_one_space
def read_open_calls(
    keys: PartitionKeys, account: str, most: int, known: Mapping[int, bytes]
) -> Trips[dict[str, dict[int, bytes]]]:
    """Reads the oldest batches with open calls of each space: space → batch → its numbers.

    At most ``most`` of a space. Of each number there is a digest, joined in the order of places;
    of batches that are ``known`` they are not read again.
    """
    (found,) = yield [("ZRANGE", keys.follows, "0", "-1")]
    spaces = [each.decode() for each in found] if isinstance(found, list) else []
    spaces = [space for space in spaces if space.partition("|")[0] == account]
    if not spaces:
        return {}
    lists = yield [("ZRANGE", keys.open_calls(space), "0", str(most - 1)) for space in spaces]
    batches = [[int(number) for number in each] if isinstance(each, list) else [] for each in lists]
    fresh = [number for each in batches for number in each if number not in known]
    numbers = dict(known)
    if fresh:
        digests = yield [("HGET", keys.batch(number), "f") for number in fresh]
        for number, one in zip(fresh, digests, strict=True):
            numbers[number] = one if isinstance(one, bytes) else b""
    return {
        space: {number: numbers[number] for number in each}
        for space, each in zip(spaces, batches, strict=True)
    }


def _unite(parts: list[set[str]]) -> set[str]:
    return {name for part in parts for name in part}


@merged_by(_unite)
def read_open_accounts(keys: PartitionKeys) -> Trips[set[str]]:
    """Reads the accounts that have open calls."""
    (found,) = yield [("ZRANGE", keys.follows, "0", "-1")]
    spaces = found if isinstance(found, list) else []
    return {space.decode().partition("|")[0] for space in spaces}


_SPACES = 100
"""Spaces of a partition that are asked how late their calls are looked at."""

_USUAL_PAUSE_MS = 60_000
"""Between two passes over a space, where no follower has said otherwise yet."""

_PAUSES_A_FIRST_LOOK = 3
"""A first look comes a fifth of the gap after a creation, a pause is a fifteenth of it."""


class _Planned(msgspec.Struct):
    next_ms: int = 0


_decode = msgspec.json.Decoder(_Planned).decode


@merged_by(max)
def read_follow_lag(keys: PartitionKeys) -> Trips[float]:
    """Reads for how many seconds the look at calls is overdue that is longest overdue.

    Of each space the oldest batch with calls that may yet go out counts, and the first of those
    that have a time of their own.
    """
    clock, found, usual = yield [
        ("TIME",),
        ("ZRANGE", keys.follows, "0", str(_SPACES - 1)),
        ("HGET", keys.meta, "follow"),
    ]
    spaces = [each.decode() for each in found] if isinstance(found, list) else []
    if not spaces:
        return 0.0
    assert isinstance(clock, list | tuple)
    now_ms = int(clock[0]) * 1000 + int(clock[1]) // 1000
    pause_ms = int(usual) if isinstance(usual, bytes) else _USUAL_PAUSE_MS
    firsts = yield [
        ("ZRANGE", key, "0", "0", "WITHSCORES")
        for space in spaces
        for key in (keys.later_calls(space), keys.calls(space))
    ]
    due = [score for reply in firsts[::2] for _, score in _read_first(reply)]
    oldest = [pair for reply in firsts[1::2] for pair in _read_first(reply)]
    if oldest:
        planned = yield [("HGET", keys.batch(number), "yt") for number, _ in oldest]
        for (_, since_ms), memory in zip(oldest, planned, strict=True):
            first = since_ms + _PAUSES_A_FIRST_LOOK * pause_ms
            due.append(_decode(memory).next_ms if isinstance(memory, bytes) else first)
    return max(0.0, now_ms - min(due, default=now_ms)) / 1000


def _read_first(reply: object) -> list[tuple[int, float]]:
    """Returns the first member of a sorted set with its score, if there is one."""
    found = reply[0] if isinstance(reply, list) and reply and isinstance(reply[0], list) else reply
    if not isinstance(found, list) or len(found) < 2:
        return []
    return [(int(found[0]), float(found[1]))]


_NUMBERS_A_TRIP, _BATCHES_A_TRIP = 2000, 100


class BegunCall(NamedTuple):
    """A call that began; times in unix ms. ``zones``: the class of its contact's zones."""

    name: CampaignName
    zones: str
    run_id: str
    task_id: str
    handed_over_ms: int
    began_ms: int


class BatchHours(NamedTuple):
    """By whose hours the calls of a batch are judged."""

    name: CampaignName
    zones: str

    @classmethod
    def of(cls, entry: BatchEntry) -> BatchHours | None:
        """Returns those of a batch; None where its campaign had no hours."""
        written = entry.fields.get("yz")
        if not written:
            return None
        campaign, _, zones = written.decode().partition(SEPARATOR)
        return cls(CampaignName(entry.account, campaign), zones)


def find_hand_over(entry: BatchEntry, place: int) -> int:
    """Returns when the attempt began that created a document (ms); 0 if that is not known."""
    proof = entry.proof(place)
    attempt = proof[2] if proof else 0
    return next((line.taken_ms for line in entry.history if line.attempt == attempt), 0)


@merged_by(join_lists)
def read_begun(keys: PartitionKeys, since_ms: int) -> Trips[list[BegunCall]]:
    """Reads the calls of campaigns with hours that began since a time and whose end is known."""
    (last,) = yield [("HGET", keys.meta, "batch")]
    count = int(last) if isinstance(last, bytes) else 0
    found: list[BegunCall] = []
    for at in range(1, count + 1, _NUMBERS_A_TRIP):
        numbers = range(at, min(at + _NUMBERS_A_TRIP, count + 1))
        asked: list[Command] = [("HEXISTS", keys.batch(number), "yz") for number in numbers]
        flags = yield asked
        wanted = [number for number, flag in zip(numbers, flags, strict=True) if flag]
        for first in range(0, len(wanted), _BATCHES_A_TRIP):
            some = wanted[first : first + _BATCHES_A_TRIP]
            for entry in (yield from read_batches(some).trips(keys)).values():
                found += [call for call in _begun_of(entry) if call.began_ms >= since_ms]
    return found


def _begun_of(entry: BatchEntry) -> Iterator[BegunCall]:
    hours = BatchHours.of(entry)
    for place, letter in enumerate(entry.states):
        call = entry.call(place) if letter == "c" else None
        if hours is None or call is None or not call.started:
            continue
        run_id, task_id, _ = entry.proof(place) or ("", "", 0)
        handed = find_hand_over(entry, place) or call.started * 1000
        yield BegunCall(*hours, run_id or "", task_id or "", handed, call.started * 1000)
