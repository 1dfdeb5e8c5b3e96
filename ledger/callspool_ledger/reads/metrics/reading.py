"""What the exporter serves, read in two round trips whatever the number of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_ledger import keys
from callspool_ledger.reads.metrics.snapshot import Server, Snapshot, snapshot_of
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callspool.redis_io.scripts import Call, Command
    from callspool_ledger.reads.account_limits import AccountLimit
    from callspool_ledger.reads.driving import Reading

MOST_SPACES = 200
"""Spaces in doubt whose oldest batches are looked at, those that are read back next first."""

MOST_ACCOUNTS = 100
"""Accounts whose limits are looked up."""

SILENT_MS = 12_000
"""Milliseconds: a worker that lives asks for messages, or renews what it has, every 5 s at most."""

_INFO: Command = ("INFO", "server", "clients", "memory", "persistence")


def read_metrics(partition: int) -> Reading[Snapshot]:
    """The round trip that reads a partition; snapshots of several may be merged."""
    args = (MOST_SPACES, SILENT_MS)
    questions: list[Call | Command] = [
        load("reads/metrics").call([keys.prefix(partition)], args),
        _INFO,
    ]
    reply, info = yield questions
    return snapshot_of(reply, _server_of(info))


def accounts_of(found: Snapshot) -> list[str]:
    """The accounts whose limits belong to a snapshot."""
    known = sorted(account for account, name in found.counts if name == "accepted")
    return known[:MOST_ACCOUNTS]


def add_limits(found: Snapshot, limits: Iterable[AccountLimit]) -> Snapshot:
    """The snapshot with what accounts share across partitions, in slots of its own."""
    for limit in limits:
        found.limits[limit.account] = limit
        if limit.rests_seconds > 0:
            known = found.throttled.get(limit.account, 0.0)
            found.throttled[limit.account] = max(limit.rests_seconds, known)
    return found


def _server_of(info: object) -> Server | None:
    if not isinstance(info, dict):
        return None
    return Server(
        memory=int(info.get("used_memory", 0)),
        memory_limit=int(info.get("maxmemory", 0)),
        clients=int(info.get("connected_clients", 0)),
        uptime=int(info.get("uptime_in_seconds", 0)),
        is_persistent=bool(info.get("aof_enabled")) and info.get("aof_last_write_status") == "ok",
    )
