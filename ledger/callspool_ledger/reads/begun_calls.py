"""Calls of campaigns with hours: when they were handed over and when they began."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from callspool_ledger.reads.campaigns import CampaignName
from callspool_ledger.reads.lookup import read_batches
from callspool_ledger.reads.reading import join_lists, merged_by
from callspool_ledger.selectors import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.reading import Trips

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
