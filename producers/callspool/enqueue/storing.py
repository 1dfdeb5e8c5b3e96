"""Storing messages: which commands go to Redis, and what becomes of each message.

Nothing here touches a socket. `Spool.store` yields the commands of a round trip and is sent the
replies, so that threads and event loops run the same steps. A round trip carries the messages of
several callers, so each message has its own outcome, a value, and each caller gets the error that
its own messages deserve.
"""

from __future__ import annotations

import math
import re
import time
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from redis.exceptions import OutOfMemoryError

from callspool.redis_io.errors import describe, is_passing
from callspool.redis_io.scripts import round_trips
from callspool.request.message import VERSION, merge
from callspool_ledger.errors import describe_mismatch
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool.redis_io.scripts import Call, Command, Reply, Steps
    from callspool.request.message import Message


class OutgoingMessage(NamedTuple):
    """A message to be stored, and what goes along: the W3C traceparent, and the name of the key.

    ``key``: with which a caller of the HTTP intake sent it.
    """

    message: Message
    trace: str | None = None
    partition: int = 0
    key: str | None = None

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


AWAY: Final = 1.0
"""Seconds for which a Redis that did not answer in time is not asked again."""


class Outage:
    """Whether Redis is known to be away: then callers fail at once instead of one after the other.

    ``now`` is of any clock that only goes forward, the same each time.
    """

    def __init__(self) -> None:
        self._failure: NotStored | None = None
        self._until = 0.0

    def failure(self, now: float) -> NotStored | None:
        """Returns what a caller is told without asking Redis; None where it is to be asked."""
        return self._failure if now < self._until else None

    def note(self, outcome: Outcome, now: float) -> None:
        """Takes what became of a message that was tried until its deadline."""
        is_away = isinstance(outcome, NotStored) and outcome.again
        self._failure = outcome if isinstance(outcome, NotStored) else None
        self._until = now + AWAY if is_away else 0.0


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


_VERSION = b"%d" % VERSION

MEMORY_QUESTION: Final[Command] = ("INFO", "memory")
FULL_FROM: Final = 0.8
"""Share of maxmemory in use from which producers are refused."""
SECONDS_BETWEEN: Final = 1.0

_USED = re.compile(rb"^used_memory:(\d+)", re.MULTILINE)
_LIMIT = re.compile(rb"^maxmemory:(\d+)", re.MULTILINE)


class Parcel(NamedTuple):
    """Neighbouring messages that travel as one, and their places."""

    content: OutgoingMessage
    places: range


class Spool:
    """The queue of call requests of one partition, seen from a producer."""

    def __init__(
        self, max_waiting: int, where: str, partition: int = 0, partitions: int = 1
    ) -> None:
        self._where = where
        self._partitions = partitions
        keys = PartitionKeys(partition)
        self._keys = (keys.requests.encode(), keys.counts.encode())
        self._script = load("enqueue/enqueue")
        self._limits = (str(max_waiting).encode(), str(partitions).encode())
        self._memory = MemoryWatch()

    def store(self, messages: Sequence[OutgoingMessage]) -> Steps[list[Command], list[Outcome]]:
        """Yields commands and is sent their replies; returns each message's outcome, in order.

        As a rule this takes one round trip. Messages of several callers travel as one; where Redis
        has no room for all of them together, each is tried alone.
        """
        if self._memory.must_know_first:
            self._memory.note((yield [MEMORY_QUESTION])[0])
        if self._memory.full:
            return [OUT_OF_MEMORY] * len(messages)
        if len(messages) == 1:
            (reply,) = yield from self._send(messages)
            return [read_outcome(reply, self._where, self._partitions)]
        parcels = join(messages)
        replies = yield from self._send([parcel.content for parcel in parcels])
        outcomes: list[Outcome] = []
        alone: list[int] = []
        for parcel, reply in zip(parcels, replies, strict=True):
            outcome = read_outcome(reply, self._where, self._partitions)
            outcomes += [outcome] * len(parcel.places)
            if isinstance(outcome, NoRoom) and len(parcel.places) > 1:
                alone += parcel.places
        if alone:
            replies = yield from self._send([messages[place] for place in alone])
            for place, reply in zip(alone, replies, strict=True):
                outcomes[place] = read_outcome(reply, self._where, self._partitions)
        return outcomes

    def _send(self, contents: Sequence[OutgoingMessage]) -> Steps[list[Command], list[Reply]]:
        calls: list[Call | Command] = [self._call(content) for content in contents]
        if not self._memory.due:
            return (yield from round_trips(calls))
        *replies, answer = yield from round_trips([*calls, MEMORY_QUESTION])
        self._memory.note(answer)
        return replies

    def _call(self, content: OutgoingMessage) -> Call:
        message = content.message
        documents = b"1" if message.documents == 1 else b"%d" % message.documents
        arguments: tuple[bytes | str, ...] = (_VERSION, message.requests, documents, *self._limits)
        if content.key is not None:
            arguments = (*arguments, content.trace or "", content.key)
        elif content.trace is not None:
            arguments = (*arguments, content.trace)
        return self._script.call(self._keys, arguments)


def join(messages: Sequence[OutgoingMessage]) -> list[Parcel]:
    """Joins neighbours into messages of bounded size, so that workers have fewer to read."""
    if len(messages) == 1:
        return [Parcel(messages[0], range(1))]
    parcels = []
    place = 0
    for (trace, key), run in groupby(messages, key=_companions_of):
        for joined in merge(each.message for each in run):
            start, documents = place, 0
            while documents < joined.documents:
                documents += messages[place].message.documents
                place += 1
            parcels.append(Parcel(OutgoingMessage(joined, trace, key=key), range(start, place)))
    return parcels


_companions_of = attrgetter("trace", "key")


class MemoryWatch:
    """Remembers how full Redis was when last asked, at most once a second.

    Threads share it without a lock: the worst that a race does is one question too many.
    """

    def __init__(self) -> None:
        self._asked = -math.inf
        self._known = False
        self.full = False

    @property
    def due(self) -> bool:
        """Whether it is time to ask again."""
        return time.monotonic() - self._asked >= SECONDS_BETWEEN

    @property
    def must_know_first(self) -> bool:
        """Whether nothing may be written before the answer: it is full, or was never asked."""
        return (self.full or not self._known) and self.due

    def note(self, reply: object) -> None:
        """Takes the answer. Without permission to read it, Redis itself will report OOM."""
        self._asked = time.monotonic()
        self._known = True
        self.full = isinstance(reply, bytes) and _is_full(reply)


def _is_full(info: bytes) -> bool:
    used, limit = _USED.search(info), _LIMIT.search(info)
    if used is None or limit is None or int(limit[1]) == 0:
        return False
    return int(used[1]) > FULL_FROM * int(limit[1])
