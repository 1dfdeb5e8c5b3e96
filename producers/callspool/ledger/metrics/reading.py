"""What the exporter serves, read in two round trips whatever the number of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool import keys
from callspool.ledger.metrics.snapshot import AccountLimit, Server, Snapshot, snapshot_of
from callspool.scripts import load

if TYPE_CHECKING:
    from callspool.ledger.driving import Reading
    from callspool.scripts import Call, Command, Reply

MOST_SPACES = 200
"""Spaces in doubt whose oldest batches are looked at, those that are read back next first."""

MOST_ACCOUNTS = 100
"""Accounts whose limits are looked up."""

SILENT_MS = 12_000
"""Milliseconds: a worker that lives asks for messages, or renews what it has, every 5 s at most."""

_INFO: Command = ("INFO", "server", "clients", "memory", "persistence")


def read_metrics(partition: int) -> Reading[Snapshot]:
    """The round trips that read a partition; snapshots of several may be merged."""
    args = (MOST_SPACES, SILENT_MS)
    questions: list[Call | Command] = [
        load("callspool.ledger", "metrics").call([keys.prefix(partition)], args),
        _INFO,
    ]
    reply, info = yield questions
    found = snapshot_of(reply, _server_of(info))
    accounts = sorted(account for account, name in found.counts if name == "accepted")[
        :MOST_ACCOUNTS
    ]
    if accounts:
        replies = yield [command for name in accounts for command in _limit_commands(name)]
        _add_limits(found, accounts, replies)
    return found


def _limit_commands(account: str) -> list[Command]:
    base = f"callspool:{{account-{account}}}"
    return [("HMGET", f"{base}:limit", "in_force", "rest"), ("HVALS", f"{base}:holders")]


def _add_limits(found: Snapshot, accounts: list[str], replies: list[Reply]) -> None:
    """What accounts share across partitions: how many requests they may have in flight."""
    for place, account in enumerate(accounts):
        limit, holders = replies[2 * place : 2 * place + 2]
        if not isinstance(limit, list) or limit[0] is None or not isinstance(holders, list):
            continue
        held = [[int(number) for number in each.split()] for each in holders]
        in_flight = sum(busy for _, busy, _, till in held if till >= found.now_ms)
        found.limits[account] = AccountLimit(int(limit[0]), in_flight)
        rest = (int(limit[1] or 0) - found.now_ms) / 1000
        if rest > 0:
            found.throttled[account] = max(rest, found.throttled.get(account, 0.0))


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
