"""What can go wrong between a worker and the ledger."""

from __future__ import annotations

from callspool.errors import CallspoolError


class LedgerUnavailable(CallspoolError):  # noqa: N818 - says what is the matter
    """Redis did not answer; whatever was asked may or may not have happened."""


class LedgerFull(LedgerUnavailable):
    """Redis is out of memory; nothing was written. It heals as batches are sent."""


def describe_mismatch(ledgers: object, ours: int) -> str:
    """Says that the ledger has another number of partitions than this process."""
    return (
        f"the ledger in Redis was begun with CALLSPOOL_PARTITIONS={ledgers}, and this process has"
        f" {ours}: set {ledgers}, or use another Redis database"
    )
