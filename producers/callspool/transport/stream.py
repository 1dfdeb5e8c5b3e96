"""One queue's stream in Redis: a typed method for each command and script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import redis
from dramatiq.errors import BrokerConnectionError, ConnectionClosed, ConnectionFailed
from redis.exceptions import ResponseError

from callspool.redis_io.errors import Fault, classify, is_without_group
from callspool.redis_io.scripts import run
from callspool_ledger import keys
from callspool_ledger.scripts import load

Fields = Mapping[str, bytes] | Mapping[bytes, bytes] | Mapping[str | bytes, bytes]

GIVEN_BACK = 24 * 3600 * 1000
"""Milliseconds of idle time that make an entry free for every consumer."""

DROP_AFTER = 3600.0
"""Seconds after which a consumer that does nothing and owns nothing is removed."""

_PAGE = 500


class CommandRefused(BrokerConnectionError):  # noqa: N818 - says what happened
    """Redis answered and refused the command: it is full, read-only, or access is denied."""


_TIMEOUT = (ConnectionClosed, "Redis did not answer in time; try again")
_AWAY = (ConnectionClosed, "Redis cannot be reached; check that it runs")
_LOGIN = (ConnectionFailed, "Redis refuses user or password; check its URL")
_REFUSED = (CommandRefused, "Redis refused the command; see its log")
_TRANSLATIONS: dict[Fault, tuple[type[BrokerConnectionError], str]] = {
    Fault.TIMEOUT: _TIMEOUT,
    Fault.LOGIN: _LOGIN,
    Fault.LOADING: _AWAY,
    Fault.UNREACHABLE: _AWAY,
}


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns redis-py's errors into dramatiq's; their text never quotes what was sent."""
    try:
        yield
    except redis.RedisError as error:
        kind, text = _TRANSLATIONS.get(classify(error), _REFUSED)
        raise kind(f"{text} ({type(error).__name__})") from error


class StreamEntry(NamedTuple):
    """An entry of the stream, and how often it was handed out so far, this time included."""

    id: str
    fields: dict[bytes, bytes]
    deliveries: int


class QueueStream:
    """The stream of a queue, as one consumer of the group sees it.

    Every method raises redis-py's errors; callers translate them with `translate_errors`.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        key: str,
        dead_key: str,
        alive_key: str,
        consumer: str,
        dead_limit: int,
    ) -> None:
        self.key = key
        self.dead_key = dead_key
        self._alive_key = alive_key
        self._client = client
        self._consumer = consumer
        self._dead_limit = dead_limit

    def over(self, client: redis.Redis) -> QueueStream:
        """Returns the same stream, reached through another client."""
        return QueueStream(
            client,
            key=self.key,
            dead_key=self.dead_key,
            alive_key=self._alive_key,
            consumer=self._consumer,
            dead_limit=self._dead_limit,
        )

    def add(self, messages: Sequence[Fields]) -> None:
        """Appends messages, in one round trip."""
        commands = [("XADD", self.key, "*", *_flat(fields)) for fields in messages]
        if len(commands) == 1:
            self._call(*commands[0])
        else:
            self._pipeline(commands)

    def create_group(self) -> None:
        """Makes the group, and the stream, unless they are there; old entries count as new."""
        try:
            self._call("XGROUP", "CREATE", self.key, keys.GROUP, "0", "MKSTREAM")
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def read(self, count: int, block_ms: int) -> list[StreamEntry]:
        """Takes new entries; waits for the first at most ``block_ms`` milliseconds."""
        reply = self._call(
            "XREADGROUP", "GROUP", keys.GROUP, self._consumer,
            "COUNT", count, "BLOCK", max(1, block_ms), "STREAMS", self.key, ">",
        )  # fmt: skip
        if not reply:
            return []
        return [_parse_entry((*found, 1)) for found in reply[0][1]]

    def overtake(self, count: int) -> list[StreamEntry]:
        """Takes small new entries that stand behind many documents."""
        soon = keys.soon_list(self.key)
        reply = self._run("overtake", keys.GROUP, self._consumer, count, besides=soon)
        return [_parse_entry(found) for found in reply]

    def list_owned(self) -> list[str]:
        """Returns the ids of all entries that this consumer was given and has not acknowledged."""
        found: list[str] = []
        start = "-"
        while True:
            page: list[dict[str, Any]] = self._client.xpending_range(
                self.key, keys.GROUP, start, "+", _PAGE, self._consumer
            )
            found.extend(item["message_id"].decode() for item in page)
            if len(page) < _PAGE:
                return found
            start = f"({found[-1]}"

    def retake(self, ids: Sequence[str], *, counts: bool) -> list[StreamEntry]:
        """Takes entries that this consumer owns again; ``counts``: as one more delivery."""
        if not ids:
            return []
        reply = self._run("retake", keys.GROUP, self._consumer, int(counts), *ids)
        return [_parse_entry(found) for found in reply]

    def claim(
        self, *, min_idle: float, count: int, suspect_from: int, suspects: int
    ) -> list[StreamEntry]:
        """Takes over entries that no consumer renewed for ``min_idle`` seconds."""
        idle_ms = int(min_idle * 1000)
        reply = self._run(
            "claim", keys.GROUP, self._consumer, idle_ms, count, suspect_from, suspects
        )
        return [_parse_entry(found) for found in reply]

    def renew(self, ids: Sequence[str]) -> None:
        """Keeps these entries from being claimed, since they are still being worked on."""
        self._hold(ids, idle=0, uncounted=0)

    def uncount(self, ids: Sequence[str]) -> None:
        """Keeps these entries, whose delivery does not count: nothing could be done with them."""
        self._hold(ids, idle=0, uncounted=1)

    def give_back(self, ids: Sequence[str], *, begun: bool) -> None:
        """Lets any consumer claim these entries at once, under their ids.

        An entry that was not even begun counts one delivery less.
        """
        self._hold(ids, idle=GIVEN_BACK, uncounted=0 if begun else 1)

    def acknowledge(self, ids: Sequence[str]) -> None:
        """Removes entries for good; may be repeated."""
        # In this order: an entry acknowledged but not deleted would stay for ever.
        self._pipeline([("XDEL", self.key, *ids), ("XACK", self.key, keys.GROUP, *ids)])

    def set_aside(self, entry_id: str, reason: str) -> bool:
        """Moves an entry whole to the dead stream; False if this consumer owns it no more."""
        limit = self._dead_limit
        try:
            what = (keys.GROUP, self._consumer, entry_id, reason, limit)
            return bool(self._run("set_aside", *what, besides=self.dead_key))
        except ResponseError as error:
            if is_without_group(error):
                return False
            raise

    def drop_consumers(self, *, idle: float, only: str = "") -> None:
        """Removes consumers without pending entries that were ``idle`` for this many seconds.

        A consumer whose process has had a heartbeat since is not idle.
        """
        try:
            what = (keys.GROUP, int(idle * 1000), only)
            self._run("drop_consumers", *what, besides=self._alive_key)
        except ResponseError as error:
            if not is_without_group(error):
                raise

    def drop_myself(self) -> None:
        """Removes this consumer, unless it still owns entries."""
        self.drop_consumers(idle=0, only=self._consumer)

    def length(self) -> int:
        """Returns how many entries are not done yet."""
        return int(self._call("XLEN", self.key))

    def clear(self) -> None:
        """Drops every entry, and all that consumers have of them."""
        create = ("XGROUP", "CREATE", self.key, keys.GROUP, "0", "MKSTREAM")
        self._pipeline([("DEL", self.key), create], atomic=True)

    def clear_dead(self) -> None:
        """Drops every dead message."""
        self._call("DEL", self.dead_key)

    def _hold(self, ids: Sequence[str], *, idle: int, uncounted: int) -> None:
        try:
            for start in range(0, len(ids), _PAGE):
                page = ids[start : start + _PAGE]
                self._run("hold", keys.GROUP, self._consumer, idle, uncounted, *page)
        except ResponseError as error:
            if not is_without_group(error):
                raise

    def _call(self, *command: str | bytes | int) -> Any:
        return self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    def _pipeline(
        self, commands: Iterable[tuple[str | bytes, ...]], *, atomic: bool = False
    ) -> None:
        with self._client.pipeline(transaction=atomic) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
            pipeline.execute()

    def _run(self, name: str, *arguments: str | int, besides: str | None = None) -> Any:
        touched = (self.key,) if besides is None else (self.key, besides)
        call = load(f"transport/{name}").call(touched, arguments)
        [reply] = run(self._client, [call])
        if isinstance(reply, redis.RedisError):
            raise reply
        return reply


class ConsumerHeartbeat:
    """The heartbeat of this consumer in one partition; raises redis-py's errors.

    It is what tells living workers: Redis before 7.2 does not know when an idle one asked last.
    """

    def __init__(self, client: redis.Redis, *, key: str, consumer: str) -> None:
        self._client = client
        self._key = key
        self._consumer = consumer

    def beat(self) -> None:
        """Notes that this consumer lives; drops those that are silent for `DROP_AFTER`."""
        args = (self._consumer, int(DROP_AFTER * 1000))
        [reply] = run(self._client, [load("transport/beat").call([self._key], args)])
        if isinstance(reply, redis.RedisError):
            raise reply

    def stop(self) -> None:
        """Notes that this consumer has ended."""
        self._client.zrem(self._key, self._consumer)


def _flat(fields: Fields) -> Iterable[str | bytes]:
    return (part for pair in fields.items() for part in pair)


def _parse_entry(found: Sequence[Any]) -> StreamEntry:
    parts = iter(found[1])
    return StreamEntry(found[0].decode(), dict(zip(parts, parts, strict=True)), found[2])
