"""Redis' errors as the worker knows them."""

from __future__ import annotations

import redis

from callspool_ledger.errors import LedgerFull, LedgerUnavailable

_AWAY = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
)
_REFUSING = frozenset({"BUSY", "MISCONF", "NOREPLICAS"})
"""First words of errors for which redis-py has no class, by which Redis refuses every write."""


def translated(error: redis.RedisError) -> Exception:
    """What an error of Redis means for the ledger; the error itself where it means nothing more."""
    text = str(error)
    if isinstance(error, redis.OutOfMemoryError) or text.startswith("OOM") or "OOM" in text[:60]:
        return LedgerFull("Redis is out of memory: raise maxmemory, or let workers send first")
    if isinstance(error, _AWAY):
        return LedgerUnavailable(f"Redis does not answer: {type(error).__name__}")
    if isinstance(error, redis.exceptions.NoPermissionError):
        return LedgerUnavailable(
            "Redis does not let this user do a worker's work: docs/security.md says what it needs"
        )
    word = text.partition(" ")[0]
    if word in _REFUSING:
        return LedgerUnavailable(f"Redis refuses every write, its log says why: {word}")
    return error
