"""What can go wrong between a worker and the ledger."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from callspool.errors import CallspoolError, QueueUnavailable
from callspool.redis_io.errors import Fault, classify

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITES_REFUSED = "Redis refuses every write, since it cannot save to its disk"
FREE_THE_DISK = "make room on that disk, or see the log of Redis"

_AWAY = frozenset(
    {
        Fault.UNREACHABLE,
        Fault.TIMEOUT,
        Fault.LOADING,
        Fault.LOGIN,
        Fault.READ_ONLY,
        Fault.FAILOVER,
    }
)


class LedgerUnavailable(CallspoolError):  # noqa: N818 - says what is the matter
    """Redis did not answer; whatever was asked may or may not have happened."""


class LedgerFull(LedgerUnavailable):
    """Redis is out of memory; nothing was written. It heals as batches are sent."""


class LedgerGone(LedgerUnavailable):
    """Another ledger lies where the one was that this process had opened; nothing was done."""


class AccessKeyError(CallspoolError):
    """A key of the HTTP intake that cannot be created or revoked; the text says why."""


class OtherKey(LedgerUnavailable):
    """The suppression lists have another key than the digests that were asked for."""


class ListsGone(LedgerUnavailable):
    """The ledger says that there are suppression lists or caps, and Redis has none any more."""


class CallsUnsure(LedgerUnavailable):
    """Redis may have forgotten calls that count for caps."""


_OF_SCRIPTS = {
    "OTHERLEDGER": (
        LedgerGone,
        "the ledger in Redis is gone: this process begins with the new one",
    ),
    "CUTOFF": (
        LedgerUnavailable,
        (
            "Redis has lost touch with its replicas, and one may be the primary now: nothing is"
            " sent before one is back; if they are gone for good: callspool resume --all"
            " --without-replicas"
        ),
    ),
    "UNSURE": (
        CallsUnsure,
        (
            "caps: Redis restarted, and may have forgotten calls that count; they are counted anew"
            " once every space is read back (callspool status)"
        ),
    ),
    "OTHERKEY": (OtherKey, "the suppression lists have another key: it is read again"),
}
"""What our scripts answer, by its first word, instead of doing what they were asked for."""


def translate(error: Exception) -> Exception:
    """Returns what an error of Redis means for the ledger, or the error itself if nothing more."""
    word = str(error).partition(" ")[0]
    if word in _OF_SCRIPTS:
        kind, text = _OF_SCRIPTS[word]
        return kind(text)
    fault = classify(error)
    if fault is Fault.OUT_OF_MEMORY:
        return LedgerFull("Redis is out of memory: raise maxmemory, or let workers send first")
    if fault in _AWAY:
        return LedgerUnavailable(f"Redis does not answer: {type(error).__name__}")
    refusals = {
        Fault.PERMISSION: (
            "Redis does not let this user do a worker's work: docs/security.md says what it needs"
        ),
        Fault.UNSAVED: f"{WRITES_REFUSED}: {FREE_THE_DISK}",
        Fault.BUSY: f"Redis refuses every write, its log says why: {word}",
    }
    return LedgerUnavailable(refusals[fault]) if fault in refusals else error


def is_away(error: LedgerUnavailable) -> bool:
    """Whether Redis does not answer; else it answers, and refuses."""
    return isinstance(error.__cause__, Exception) and classify(error.__cause__) in _AWAY


@contextmanager
def answering() -> Iterator[None]:
    """Raises `QueueUnavailable` with the remedy when Redis does not answer."""
    try:
        yield
    except LedgerUnavailable as fault:
        raise QueueUnavailable(
            f"{fault}; asking for the same again is safe and goes on with the rest"
        ) from fault


def describe_mismatch(ledgers: object, ours: int) -> str:
    """Returns the text for a ledger with another number of partitions than this process."""
    return (
        f"the ledger in Redis was begun with CALLSPOOL_PARTITIONS={ledgers}, and this process has"
        f" {ours}: set {ledgers}, or use another Redis database"
    )
