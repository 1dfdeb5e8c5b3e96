"""Which batches of an account have open calls, and to which numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_ledger.reads.reading import of_one_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callspool_ledger.keys import PartitionKeys
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
