"""The ledger as metrics: one reading of all that is counted."""

from callspool.ledger.metrics.reading import read_metrics
from callspool.ledger.metrics.snapshot import Server, Snapshot

__all__ = ["Server", "Snapshot", "read_metrics"]
