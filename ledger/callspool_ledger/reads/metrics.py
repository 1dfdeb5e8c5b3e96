"""What the exporter serves, read in two round trips whatever the number of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callspool_ledger.keys import account_holders, account_limit
from callspool_ledger.reads.reading import merged_by, of_ledger
from callspool_ledger.reads.snapshot import AccountLimit, RedisFacts, Snapshot, snapshot_of
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool.redis_io.scripts import Call, Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips


MOST_SPACES = 200
"""Spaces in doubt whose oldest batches are looked at, those that are read back next first."""

MOST_ACCOUNTS = 100
"""Accounts whose limits are looked up."""

SILENT_MS = 12_000
"""Milliseconds: a worker that lives has a heartbeat every 5 s (`transport.keeper`)."""

_INFO: Command = ("INFO", "server", "clients", "memory", "persistence")


def _add_up(parts: list[Snapshot]) -> Snapshot:
    first, *others = parts
    for other in others:
        first.merge(other)
    return first


@merged_by(_add_up)
def read_metrics(keys: PartitionKeys) -> Trips[Snapshot]:
    """Reads what the ledger counts, at one moment; limits apart, which `add_limits` adds."""
    args = (MOST_SPACES, SILENT_MS)
    questions: list[Call | Command] = [
        load("reads/metrics").call([keys.prefix], args),
        _INFO,
    ]
    reply, info = yield questions
    return snapshot_of(reply, _server_of(info))


def _unite(parts: list[set[str]]) -> set[str]:
    return {name for part in parts for name in part}


@merged_by(_unite)
def read_accounts(keys: PartitionKeys) -> Trips[set[str]]:
    """Reads the accounts that documents were ever accepted for."""
    (names,) = yield [("SMEMBERS", keys.accounts)]
    return {name.decode() for name in names} if isinstance(names, set | list) else set()


def accounts_of(found: Snapshot) -> list[str]:
    """Returns the accounts whose limits belong to a snapshot, at most `MOST_ACCOUNTS`."""
    known = sorted(account for account, name in found.counts if name == "accepted")
    return known[:MOST_ACCOUNTS]


def add_limits(found: Snapshot, limits: Iterable[AccountLimit]) -> Snapshot:
    """Returns the snapshot with the limits that accounts share across partitions."""
    for limit in limits:
        found.limits[limit.account] = limit
        if limit.rests_seconds > 0:
            known = found.throttled.get(limit.account, 0.0)
            found.throttled[limit.account] = max(limit.rests_seconds, known)
    return found


def _server_of(info: object) -> RedisFacts | None:
    if not isinstance(info, dict):
        return None
    return RedisFacts(
        memory=int(info.get("used_memory", 0)),
        memory_limit=int(info.get("maxmemory", 0)),
        clients=int(info.get("connected_clients", 0)),
        uptime=int(info.get("uptime_in_seconds", 0)),
        is_persistent=bool(info.get("aof_enabled")) and info.get("aof_last_write_status") == "ok",
    )


@of_ledger
def read_limits(keys: PartitionKeys, accounts: Sequence[str]) -> Trips[list[AccountLimit]]:
    """Reads how many requests accounts may have in flight, of those that sent within a day."""
    del keys  # an account has keys of its own
    replies: list[Any] = yield [
        ("TIME",),
        *(
            command
            for name in accounts
            for command in (
                ("HMGET", account_limit(name), "in_force", "rest"),
                ("HVALS", account_holders(name)),
            )
        ),
    ]
    (seconds, micros), *rest = replies
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    return [
        AccountLimit(
            name, int(limit), _in_flight(held, now_ms), max(0, int(rests or 0) - now_ms) / 1000
        )
        for name, (limit, rests), held in zip(accounts, rest[::2], rest[1::2], strict=True)
        if limit is not None
    ]


def _in_flight(held: Iterable[bytes], now_ms: int) -> int:
    """Returns the requests in flight of all processes that still hold their permits."""
    rows = [[int(number) for number in each.split()] for each in held]
    return sum(busy for _, busy, _, until in rows if until >= now_ms)
