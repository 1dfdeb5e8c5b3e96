"""What Redis' errors mean: the one place that knows redis-py's classes of errors.

Callers turn a `Fault` into an exception or an outcome of their own; what they have in common, a
line for people, is `describe`. redis-py is imported when one of its own errors is looked at.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import cache
from importlib import import_module
from typing import Any, Final


class RespError(Exception):
    """What was answered is no reply of Redis (`resp.RespClient`)."""


class RefusedReply(RespError):  # noqa: N818 - says what it is
    """An error that Redis answered to a command, in its words (`resp.RespClient`)."""


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
_BY_CLASS: Final = {
    "AuthenticationError": Fault.LOGIN,
    "AuthorizationError": Fault.LOGIN,
    "BusyLoadingError": Fault.LOADING,
    "ConnectionError": Fault.UNREACHABLE,
    "TimeoutError": Fault.TIMEOUT,
    "NoPermissionError": Fault.PERMISSION,
    "OutOfMemoryError": Fault.OUT_OF_MEMORY,
    "ReadOnlyError": Fault.READ_ONLY,
    "TryAgainError": Fault.FAILOVER,
    "ClusterDownError": Fault.FAILOVER,
}
"""redis-py's classes; the first four are connection errors."""

_BY_WORD: Final = {
    "BUSY": Fault.BUSY,
    "CLUSTERDOWN": Fault.FAILOVER,
    "LOADING": Fault.LOADING,
    "MASTERDOWN": Fault.FAILOVER,
    "MISCONF": Fault.UNSAVED,
    "NOAUTH": Fault.LOGIN,
    "NOPERM": Fault.PERMISSION,
    "NOREPLICAS": Fault.BUSY,
    "READONLY": Fault.READ_ONLY,
    "TRYAGAIN": Fault.FAILOVER,
    "WRONGPASS": Fault.LOGIN,
    "max number of clients reached": Fault.UNREACHABLE,
    "AUTH <password> called without any password configured": Fault.LOGIN,
}
"""How errors of Redis begin. redis-py cuts most first words off and has classes for them."""

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
    """Returns what an error of a client of Redis, or of the socket beneath it, means."""
    if isinstance(error, OSError):
        return Fault.TIMEOUT if isinstance(error, TimeoutError) else Fault.UNREACHABLE
    if not isinstance(error, RespError):
        theirs = _import_theirs()
        for name, fault in _BY_CLASS.items():
            if isinstance(error, getattr(theirs, name)):
                return fault
    return _classify_words(str(error)) if isinstance(error, refusals()) else Fault.NOT_REDIS


def redis_errors() -> tuple[type[Exception], ...]:
    """Returns what clients of Redis raise of their own."""
    return _import_theirs().RedisError, RespError


def transport_errors() -> tuple[type[Exception], ...]:
    """Returns what is raised when a round trip fails; UnicodeError: the host's name is none."""
    return *redis_errors(), OSError, UnicodeError


def refusals() -> tuple[type[Exception], ...]:
    """Returns what Redis answers to a single command; the connection is still of use."""
    return RefusedReply, _import_theirs().ResponseError


def is_unknown_script(reply: object) -> bool:
    """Whether a reply says that Redis does not know the script that was called."""
    if not isinstance(reply, Exception):
        return False
    return str(reply).startswith("NOSCRIPT") or isinstance(reply, _import_theirs().NoScriptError)


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed a moment later."""
    return classify(error) in _PASSING


def comes_from_passing(error: BaseException) -> bool:
    """Whether the error, or one that it was raised from, is of Redis and `is_passing`."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, redis_errors()) and is_passing(cause)):
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


@cache
def _import_theirs() -> Any:
    return import_module("redis.exceptions")


def _classify_words(text: str) -> Fault:
    if "OOM" in text[:60]:  # a script's, too
        return Fault.OUT_OF_MEMORY
    for words, fault in _BY_WORD.items():
        if f"{text} ".startswith(f"{words} "):
            return fault
    return Fault.COMMAND


def _quote_error(error: BaseException) -> str:
    """Returns the error's own words: one line, without what Redis quotes of a command."""
    text = " ".join(str(error).split()).partition(", with args beginning")[0]
    return text.rstrip(".")[:200] or type(error).__name__
