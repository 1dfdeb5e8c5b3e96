"""What can go wrong between a worker and the ledger."""

from __future__ import annotations

from callspool.errors import CallspoolError


class LedgerUnavailable(CallspoolError):  # noqa: N818 - says what is the matter
    """Redis did not answer; whatever was asked may or may not have happened."""


class LedgerFull(LedgerUnavailable):
    """Redis is out of memory; nothing was written. It heals as batches are sent."""
