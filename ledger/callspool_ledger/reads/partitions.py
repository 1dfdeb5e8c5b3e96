"""How many partitions a ledger has: it was decided when it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_ledger.keys import PartitionKeys
from callspool_ledger.reads.driving import read_replies

if TYPE_CHECKING:
    from callspool_ledger.reads.driving import Reading


def read_partitions() -> Reading[int]:
    """The round trip that tells how many partitions the ledger has; 0 where there is none yet."""
    first = PartitionKeys()
    replies = yield from read_replies(
        [("HGET", first.counts, "partitions"), ("HGET", first.meta, "partitions")]
    )
    known = [int(reply) for reply in replies if isinstance(reply, bytes)]
    return known[0] if known else 0
