"""What Redis' errors mean: the one place that knows redis-py's classes of errors.

Callers turn a `Fault` into an exception or an outcome of their own; what they have in common, a
line for people, is `describe`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from redis import exceptions as theirs

RedisError = theirs.RedisError
"""What redis-py raises."""

TRANSPORT_ERRORS: Final = (theirs.RedisError, OSError, UnicodeError)
"""What redis-py raises when a round trip fails; UnicodeError: the host's name is none."""


class Fault(Enum):
    """What is the matter with Redis."""

    UNREACHABLE = auto()
    TIMEOUT = auto()
    LOADING = auto()
    LOGIN = auto()
    """Redis refuses the user or the password."""
    PERMISSION = auto()
    """The user may not run this command, or not on this key."""
    READ_ONLY = auto()
    FAILOVER = auto()
    """Another server takes over, or slots move."""
    BUSY = auto()
    """A script runs too long, or too few replicas are connected: no writes for now."""
    UNSAVED = auto()
    """Redis cannot save to its disk, and so refuses every write."""
    OUT_OF_MEMORY = auto()
    COMMAND = auto()
    """Redis refuses this command."""
    NOT_REDIS = auto()
    """Whatever answers, it does not speak as Redis does."""


_PASSING: Final = frozenset(
    {
        Fault.UNREACHABLE,
        Fault.TIMEOUT,
        Fault.LOADING,
        Fault.READ_ONLY,
        Fault.FAILOVER,
        Fault.BUSY,
    }
)
_FAILOVER = (theirs.TryAgainError, theirs.ClusterDownError, theirs.MasterDownError)
_BY_WORD: Final = {"BUSY": Fault.BUSY, "NOREPLICAS": Fault.BUSY, "MISCONF": Fault.UNSAVED}
"""First words of errors for which redis-py has no class."""

_SENTENCES: Final = {
    Fault.LOGIN: "{where} refused the user or password; correct CALLSPOOL_REDIS_URL",
    Fault.LOADING: "{where} is still loading its data; try again",
    Fault.TIMEOUT: (
        "{where} did not answer in time; see that it runs and is not overloaded, then try again"
    ),
    Fault.PERMISSION: (
        "{where} does not let this user enqueue; allow it EVALSHA, SCRIPT LOAD, XADD, HMGET,"
        " HINCRBY and INFO on the keys callspool:*"
    ),
    Fault.READ_ONLY: "{where} is a replica; set CALLSPOOL_REDIS_URL to its primary",
    Fault.UNSAVED: (
        "{where} cannot save to its disk, which may be full, and so refuses every write; make room"
        " there, then do the same again"
    ),
    Fault.UNREACHABLE: (
        "cannot reach {where} ({reason}); see that it runs, and check CALLSPOOL_REDIS_URL"
    ),
    Fault.NOT_REDIS: "{where} does not answer as Redis does; check CALLSPOOL_REDIS_URL",
}
_REFUSAL: Final = "{where} refused the message ({reason}); see its log"


def classify(error: BaseException) -> Fault:
    """Returns what an error of redis-py, or of the socket beneath it, means."""
    match error:
        case theirs.AuthenticationError() | theirs.AuthorizationError():
            return Fault.LOGIN
        case theirs.BusyLoadingError():
            return Fault.LOADING
        case theirs.TimeoutError() | TimeoutError():
            return Fault.TIMEOUT
        case theirs.ResponseError():
            return _classify_reply(error)
        case theirs.ConnectionError() | OSError():
            return Fault.UNREACHABLE
    return Fault.NOT_REDIS


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed a moment later."""
    return classify(error) in _PASSING


def comes_from_passing(error: BaseException) -> bool:
    """Whether the error, or one that it was raised from, is of Redis and `is_passing`."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, RedisError) and is_passing(cause)):
        cause = cause.__cause__
    return cause is not None


def is_without_group(error: BaseException) -> bool:
    """Whether Redis reports that the stream or its group does not exist.

    It may be new, or flushed, or Redis has restarted empty.
    """
    return str(error).startswith(("NOGROUP", "UNBLOCKED", "no such key"))


def describe(error: BaseException, where: str) -> str:
    """Returns one line that says what happened and what to do next; ``where`` names the server."""
    sentence = _SENTENCES.get(classify(error), _REFUSAL)
    return sentence.format(where=where, reason=_quote_error(error))


def _classify_reply(error: theirs.ResponseError) -> Fault:
    text = str(error)
    if isinstance(error, theirs.NoPermissionError):
        return Fault.PERMISSION
    if isinstance(error, theirs.OutOfMemoryError) or "OOM" in text[:60]:  # a script's, too
        return Fault.OUT_OF_MEMORY
    if isinstance(error, theirs.ReadOnlyError):
        return Fault.READ_ONLY
    if isinstance(error, _FAILOVER):
        return Fault.FAILOVER
    return _BY_WORD.get(text.partition(" ")[0], Fault.COMMAND)


def _quote_error(error: BaseException) -> str:
    """Returns the error's own words: one line, without what Redis quotes of a command."""
    text = " ".join(str(error).split()).partition(", with args beginning")[0]
    return text.rstrip(".")[:200] or type(error).__name__
