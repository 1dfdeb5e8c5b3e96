"""What became of a message on its way into Redis: a value, not an exception.

A round trip carries the messages of several callers, so each message has its own outcome, and
each caller gets the error that its own messages deserve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from redis import exceptions as redis_errors

from callspool_ledger.errors import describe_mismatch

if TYPE_CHECKING:
    from callspool.request.message import Message


class Outgoing(NamedTuple):
    """A message to be stored, and the W3C traceparent that goes along."""

    message: Message
    trace: str | None = None
    partition: int = 0

    @property
    def size(self) -> int:
        """Bytes, but for a few."""
        return len(self.message.requests)


class Stored(NamedTuple):
    """Redis has it."""

    entry_id: bytes


class Refused(NamedTuple):
    """Redis has no room for it now."""

    reason: str


class Failed(NamedTuple):
    """Nothing is known to be stored. ``again``: another try may do better."""

    reason: str
    again: bool


class Mismatched(NamedTuple):
    """The ledger was begun with another number of partitions."""

    reason: str


Outcome: TypeAlias = Stored | Refused | Failed | Mismatched

FULL = Refused(
    "the queue holds as many waiting documents as it may; enqueue again when workers have sent "
    "some, or raise CALLSPOOL_MAX_WAITING"
)
OUT_OF_MEMORY = Refused(
    "Redis has less than 20 % of its maxmemory left; enqueue again when workers have sent some "
    "documents, or raise maxmemory"
)

_LATER = (
    redis_errors.ReadOnlyError,
    redis_errors.TryAgainError,
    redis_errors.ClusterDownError,
    redis_errors.MasterDownError,
)
_LATER_WORDS = ("BUSY", "NOREPLICAS")

TRANSPORT_ERRORS = (redis_errors.RedisError, OSError, UnicodeError)
"""What redis-py raises when a round trip fails; UnicodeError: a host name that is none."""


def outcome_of(reply: object, where: str, partitions: int = 1) -> Outcome:
    """What the script's reply to one message means; ``where`` names the server."""
    if isinstance(reply, bytes):
        return Stored(reply)
    if reply == 0:
        return FULL
    if isinstance(reply, list) and len(reply) == 1:
        return Mismatched(describe_mismatch(reply[0], partitions))
    if isinstance(reply, redis_errors.OutOfMemoryError):
        return OUT_OF_MEMORY
    if isinstance(reply, Exception):
        return failure_of(reply, where)
    return Failed(f"{where} does not answer as Redis does; check CALLSPOOL_REDIS_URL", again=False)


def failure_of(error: Exception, where: str) -> Failed:
    """What an error of redis-py means, in one line that says what to do next."""
    match error:
        case redis_errors.AuthenticationError() | redis_errors.AuthorizationError():
            advice = "refused the user or password; correct CALLSPOOL_REDIS_URL"
            return Failed(f"{where} {advice}", again=False)
        case redis_errors.BusyLoadingError():
            return Failed(f"{where} is still loading its data; try again", again=True)
        case redis_errors.TimeoutError() | TimeoutError():
            advice = (
                "did not answer in time; see that it runs and is not overloaded, then try again"
            )
            return Failed(f"{where} {advice}", again=True)
        case redis_errors.ResponseError():
            return _refusal(error, where)
        case redis_errors.ConnectionError() | OSError():
            advice = "see that it runs, and check CALLSPOOL_REDIS_URL"
            return Failed(f"cannot reach {where} ({_words(error)}); {advice}", again=True)
    advice = "does not answer as Redis does; check CALLSPOOL_REDIS_URL"
    return Failed(f"{where} {advice}", again=False)


def _refusal(error: redis_errors.ResponseError, where: str) -> Failed:
    if isinstance(error, redis_errors.NoPermissionError):
        advice = (
            "allow it EVALSHA, SCRIPT LOAD, XADD, HMGET, HINCRBY and INFO on the keys callspool:*"
        )
        return Failed(f"{where} does not let this user enqueue; {advice}", again=False)
    if isinstance(error, redis_errors.ReadOnlyError):
        return Failed(f"{where} is a replica; set CALLSPOOL_REDIS_URL to its primary", again=True)
    again = isinstance(error, _LATER) or str(error).startswith(_LATER_WORDS)
    return Failed(f"{where} refused the message ({_words(error)}); see its log", again=again)


def _words(error: Exception) -> str:
    """The error's own words: one line, and without what Redis quotes of a command's arguments."""
    text = " ".join(str(error).split()).partition(", with args beginning")[0]
    return text.rstrip(".")[:200] or type(error).__name__
