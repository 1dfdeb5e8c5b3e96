"""How many partitions a ledger has: it was decided when it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_ledger import keys
from callspool_ledger.reads.driving import read_replies

if TYPE_CHECKING:
    from callspool_ledger.reads.driving import Reading


def read_partitions() -> Reading[int]:
    """The round trip that tells how many partitions the ledger has; 0 where there is none yet."""
    replies = yield from read_replies(
        [("HGET", keys.counts(), "partitions"), ("HGET", f"{keys.prefix()}:meta", "partitions")]
    )
    known = [int(reply) for reply in replies if isinstance(reply, bytes)]
    return known[0] if known else 0
