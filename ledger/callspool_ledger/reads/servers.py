"""The servers that keep the ledger: where each partition is, and what Redis says about itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis

from callspool.redis_io.servers import server_of
from callspool_ledger.keys import GROUP, PartitionKeys, prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callspool.redis_io.servers import RedisEndpoint

_NOTHING = PartitionKeys().nothing

_TRIED = (
    ("EVALSHA", "0" * 40, 0),
    ("HDEL", _NOTHING, "x"),
    ("XADD", _NOTHING, "NOMKSTREAM", "*", "x", "1"),
    ("XREADGROUP", "GROUP", GROUP, "doctor", "COUNT", 1, "STREAMS", _NOTHING, "0"),
)
"""What a worker needs, in forms that find nothing to change."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What was found.

    ``info``: of INFO, empty if this user may not ask. ``config``: of CONFIG GET, as far as that may
    be asked. ``refused``: commands of a worker that this user may not use. ``ahead``: seconds that
    Redis' clock is ahead of this machine's; ``unsure``: by how much that may be wrong.
    """

    info: Mapping[str, Any]
    config: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    ahead: float = 0.0
    unsure: float = 0.0


def rules_of(client: redis.Redis) -> list[int] | None:
    """Returns the ledger's format, identity rules and partitions; None without a ledger."""
    names = ["format", "identity", "partitions"]
    found: Any = client.hmget(PartitionKeys().meta, names)
    return None if None in found else [int(each) for each in found]


def is_cut_off(client: redis.Redis, partition: int) -> bool:
    """Whether a partition gives out no takes, since its Redis lost touch with its replicas."""
    found: Any = client.hmget(PartitionKeys(partition).meta, ["replica_at", "alone"])
    seen, alone = (int(each or 0) for each in found)
    if not seen or client.info("replication").get("connected_slaves"):
        return False
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000 - seen > alone


def examine(client: redis.Redis) -> ServerFacts:
    """Asks Redis. Raises what redis-py raises when the connection fails."""
    ahead, unsure = _clock(client)
    return ServerFacts(
        info=_or_nothing(lambda: client.info("everything")),
        config=_config(client),
        refused=tuple(str(tried[0]).lower() for tried in _TRIED if _is_refused(client, tried)),
        ahead=ahead,
        unsure=unsure,
    )


def _config(client: redis.Redis) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("appendfsync", "stop-writes-on-bgsave-error"):
        found |= _or_nothing(lambda name=name: client.config_get(name))
    return found


def _or_nothing(ask: Any) -> dict[str, Any]:
    """An answer, or nothing where this user may not ask."""
    try:
        found: dict[str, Any] = ask()
    except redis.ResponseError:
        return {}
    return found


def _is_refused(client: redis.Redis, tried: tuple[Any, ...]) -> bool:
    try:
        client.execute_command(*tried)  # type: ignore[no-untyped-call]
    except redis.exceptions.NoPermissionError:
        return True
    except redis.ResponseError:
        return False
    return False


def _clock(client: redis.Redis) -> tuple[float, float]:
    began, before = time.monotonic(), time.time()
    seconds, micros = client.time()
    took = time.monotonic() - began
    return seconds + micros / 1e6 - (before + took / 2), took / 2


def locate_partition(target: object, timeout: float, partition: int = 0) -> RedisEndpoint:
    """Returns the server that keeps a partition; arguments and errors are those of `server_of`."""
    return server_of(target, timeout).at(prefix(partition))


def connect_partitions(server: RedisEndpoint, partitions: int) -> list[redis.Redis]:
    """Returns a client for each partition: the same for all but in a cluster."""
    if not server.is_cluster:
        return [server.client()] * partitions
    return [server.at(prefix(partition)).client() for partition in range(partitions)]
