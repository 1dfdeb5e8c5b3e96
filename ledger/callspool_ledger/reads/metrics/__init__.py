"""The ledger as metrics: one reading of all that is counted."""

from callspool_ledger.reads.metrics.reading import accounts_of, add_limits, read_metrics
from callspool_ledger.reads.metrics.snapshot import Server, Snapshot

__all__ = ["Server", "Snapshot", "accounts_of", "add_limits", "read_metrics"]
