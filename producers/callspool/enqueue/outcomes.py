"""What became of a message on its way into Redis: a value, not an exception.

A round trip carries the messages of several callers, so each message has its own outcome, and
each caller gets the error that its own messages deserve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from redis.exceptions import OutOfMemoryError

from callspool.redis_io.errors import describe, is_passing
from callspool_ledger.errors import describe_mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool.request.message import Message


class OutgoingMessage(NamedTuple):
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


class NoRoom(NamedTuple):
    """Redis has no room for it now."""

    reason: str


class NotStored(NamedTuple):
    """Nothing is known to be stored. ``again``: another try may do better."""

    reason: str
    again: bool


class Mismatched(NamedTuple):
    """The ledger has another number of partitions."""

    reason: str


Outcome: TypeAlias = Stored | NoRoom | NotStored | Mismatched

FULL = NoRoom(
    "the queue holds as many waiting documents as it may; enqueue again when workers have sent "
    "some, or raise CALLSPOOL_MAX_WAITING"
)
OUT_OF_MEMORY = NoRoom(
    "Redis has less than 20 % of its maxmemory left; enqueue again when workers have sent some "
    "documents, or raise maxmemory"
)


def read_outcome(reply: object, where: str, partitions: int = 1) -> Outcome:
    """Returns what the script's reply to one message means; ``where`` names the server."""
    if isinstance(reply, bytes):
        return Stored(reply)
    if reply == 0:
        return FULL
    if isinstance(reply, list) and len(reply) == 1:
        return Mismatched(describe_mismatch(reply[0], partitions))
    if isinstance(reply, OutOfMemoryError):
        return OUT_OF_MEMORY
    if isinstance(reply, Exception):
        return why_not_stored(reply, where)
    return NotStored(
        f"{where} does not answer as Redis does; check CALLSPOOL_REDIS_URL", again=False
    )


def why_not_stored(error: Exception, where: str) -> NotStored:
    """Returns the outcome of messages whose round trip failed with an error of redis-py."""
    return NotStored(describe(error, where), again=is_passing(error))


def list_passing(outcomes: Sequence[Outcome]) -> list[int]:
    """Returns the places of outcomes that another try may better."""
    return [
        place
        for place, outcome in enumerate(outcomes)
        if isinstance(outcome, NotStored) and outcome.again
    ]


def compute_pauses() -> Iterator[float]:
    """Yields the seconds before each next try: few at first, for a connection that went stale."""
    pause = 0.002
    while True:
        yield pause
        pause = min(pause * 4, 0.25)
