"""A dramatiq broker over Redis Streams with consumer groups."""

from __future__ import annotations

import os
import secrets
import socket
import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import redis
from dramatiq import Broker, Message, Middleware
from dramatiq.errors import BrokerError, QueueJoinTimeout, QueueNotFound

from callspool.redis_io.servers import command_timeout, copy_client, disconnect
from callspool.transport.channel import Channel, Patience
from callspool.transport.consumer import StreamsConsumer
from callspool.transport.keeper import Keeper
from callspool.transport.messages import Codec, MessageCodec
from callspool.transport.stream import ConsumerHeartbeat, QueueStream, translate_errors
from callspool_ledger import keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

_PIPELINED = 500
_LOOK_AGAIN = 0.01


class DelayRefused(BrokerError, ValueError):  # noqa: N818 - says what happened
    """A message was to be delayed; this broker delivers at once."""


class _Home(NamedTuple):
    """A partition: the client that reaches it, and the keeper that acknowledges there."""

    client: redis.Redis
    keeper: Keeper


class StreamsBroker(Broker):
    """Delivers messages through one Redis stream a queue.

    Each message is delivered at least once: what a worker had when it died, or what was lost with
    a reply, is delivered again. An actor that raises is done with its message, unless the queue
    is one of `recorded_elsewhere`.

    It starts a thread with its first consumer, so a forked child needs a broker of its own to
    consume (it may enqueue through this one).
    `close` it at the end: otherwise the last few acknowledgements may be lost, and their
    messages are delivered again.

    Parameters:

    * ``client``: tells which server; the broker makes connections of its own. Of several, each is
      a partition's, and its queues are called as `keys.queue_name` says; what follows is by queue
      all the same.
    * ``codecs``: by queue, how entries become messages; `MessageCodec` for all others.
    * ``recorded_elsewhere``: queues whose messages somebody else acknowledges, in the same step
      that records them; see `mark_recorded`.
    * ``middleware``: none by default. dramatiq's own defaults would enqueue copies with a delay
      (Retries), interrupt actors (TimeLimit, ShutdownNotifications) or drop messages (AgeLimit).
    * ``prefetch``: by queue, entries in hand at most; otherwise as many as the worker asks for. Of
      large ones there are fewer.
    * ``pace``: seconds between two reads of a queue whose messages are joined, unless more wait
      than fit: those that come soon after each other then come together. The first after a pause
      comes at once.
    * ``dead_limit``: dead letters kept for each queue, about. The queues of `recorded_elsewhere`
      keep all of theirs: nothing else has a record of them.
    * ``patience``: when to claim, to deliver again, and to give up.
    """

    queues: dict[str, Channel]

    def __init__(
        self,
        client: redis.Redis | Sequence[redis.Redis],
        *,
        codecs: Mapping[str, Codec] | None = None,
        recorded_elsewhere: Collection[str] = (),
        middleware: list[Middleware] | None = None,
        prefetch: Mapping[str, int] | None = None,
        pace: float = 0.02,
        dead_limit: int = 10_000,
        patience: Patience = Patience(),  # noqa: B008 - immutable
    ) -> None:
        super().__init__(middleware=list(middleware or ()))
        self._codecs = dict(codecs or {})
        self._default_codec = MessageCodec()
        self._recorded_elsewhere = frozenset(recorded_elsewhere)
        self._prefetch = dict(prefetch or {})
        self._pace = pace
        self._dead_limit = dead_limit
        self._patience = patience
        clients = [client] if isinstance(client, redis.Redis) else list(client)
        self._command_timeout = command_timeout(clients[0])
        self._pid = os.getpid()
        self.consumer_name = f"{socket.gethostname()}-{self._pid}-{secrets.token_hex(4)}"
        """The broker's name among the consumers of each group."""
        self._homes = [self._home(partition, each) for partition, each in enumerate(clients)]

    def _home(self, partition: int, client: redis.Redis) -> _Home:
        def channels() -> list[Channel]:
            every = list(self.queues.values())
            return [each for each in every if each.partition == partition]

        own = copy_client(client, timeout=self._command_timeout)
        alive = keys.alive_workers(partition)
        heartbeat = ConsumerHeartbeat(own, key=alive, consumer=self.consumer_name)
        return _Home(own, Keeper(channels, self._patience.renew_every, heartbeat))

    def declare_queue(self, queue_name: str) -> None:
        """Makes a queue known; doing it again has no effect. Redis need not run."""
        if queue_name in self.queues:
            return
        self.emit_before("declare_queue", queue_name)
        queue, partition = keys.queue_and_partition(queue_name)
        is_recorded_elsewhere = queue in self._recorded_elsewhere
        self.queues[queue_name] = Channel(
            queue_name,
            QueueStream(
                self._homes[partition].client,
                key=keys.stream(queue, partition),
                dead_key=keys.dead_stream(queue, partition),
                alive_key=keys.alive_workers(partition),
                consumer=self.consumer_name,
                dead_limit=0 if is_recorded_elsewhere else self._dead_limit,
            ),
            self._codecs.get(queue, self._default_codec),
            is_recorded_elsewhere,
            self._patience,
            partition,
        )
        self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1000) -> StreamsConsumer:
        """Returns an iterator over a queue's messages.

        ``prefetch``: most messages in hand; ``timeout``: milliseconds to wait for one.
        Raises QueueNotFound for a queue that was not declared, RuntimeError in a forked child. Of
        several consumers of a queue, one at a time reads.
        """
        channel = self._channel(queue_name)
        if os.getpid() != self._pid:
            raise RuntimeError("this process was forked: make a broker of its own to consume")
        home = self._homes[channel.partition]
        home.keeper.start()
        return StreamsConsumer(
            channel,
            copy_client(home.client, timeout=timeout / 1000 + self._command_timeout),
            home.keeper,
            prefetch=self._prefetch.get(keys.queue_and_partition(queue_name)[0], prefetch),
            timeout=timeout,
            pace=self._pace,
        )

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Appends a message to its queue.

        Raises QueueNotFound, `DelayRefused` for any delay, and dramatiq's BrokerConnectionError
        if Redis did not confirm it; it may be stored nevertheless.
        """
        channel = self._channel(message.queue_name)
        _refuse_delay(delay)
        self.emit_before("enqueue", message, delay)
        with translate_errors():
            channel.stream.add([channel.codec.encode(message)])
        self.emit_after("enqueue", message, delay)
        return message

    def enqueue_many(self, messages: Iterable[Message[Any]]) -> int:
        """Appends messages to their queues, many in a round trip; returns how many.

        Raises as `enqueue`; any part of the messages may then be stored.
        """
        pending = iter(messages)
        total = 0
        while chunk := list(islice(pending, _PIPELINED)):
            for queue_name, own in _by_queue(chunk):
                self._enqueue_chunk(self._channel(queue_name), own)
            total += len(chunk)
        return total

    def mark_recorded(self, queue_name: str, entry_ids: Iterable[str]) -> None:
        """Notes that messages were recorded and acknowledged elsewhere; their actor calls it.

        Without it, a message of a `recorded_elsewhere` queue is delivered again, however its
        actor ended. Raises QueueNotFound.
        """
        self._channel(queue_name).holdings.mark_recorded(entry_ids)

    def excuse(self, queue_name: str, entry_id: str) -> None:
        """Notes that a message could not be recorded, without being at fault; its actor calls it.

        It is delivered again soon, as often as it takes. Raises QueueNotFound.
        """
        self._channel(queue_name).holdings.excuse(entry_id)

    def excuse_all(self, queue_name: str) -> None:
        """Notes that nothing which this process has of a queue can be recorded now.

        Should the process end meanwhile, that is no message's fault: their delivery does not count.
        While Redis does not answer this does nothing. Raises QueueNotFound.
        """
        channel = self._channel(queue_name)
        with channel.holdings.owning, suppress(redis.RedisError):  # asked again in a moment
            ids = channel.holdings.list_unexcused()
            if ids:
                channel.stream.uncount(ids)
            for entry_id in ids:
                channel.holdings.excuse(entry_id)

    def flush(self, queue_name: str) -> None:
        """Drops all messages of a queue, including those that workers have; for tests."""
        with translate_errors():
            self._channel(queue_name).stream.clear()

    def flush_all(self) -> None:
        """Drops all messages and dead letters of all declared queues; for tests."""
        for queue_name, channel in list(self.queues.items()):
            self.flush(queue_name)
            with translate_errors():
                channel.stream.clear_dead()

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Waits until no message of the queue is left, workers' included; for tests.

        ``timeout``: milliseconds. Raises QueueJoinTimeout, QueueNotFound.
        """
        stream = self._channel(queue_name).stream
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        while True:
            with translate_errors():
                if stream.length() == 0:
                    return
            if deadline is not None and time.monotonic() >= deadline:
                raise QueueJoinTimeout(queue_name)  # type: ignore[no-untyped-call]
            time.sleep(_LOOK_AGAIN)

    def close(self) -> None:
        """Sends the last acknowledgements and closes the connections; never raises for Redis."""
        for partition, home in enumerate(self._homes):
            try:
                home.keeper.close()
                for channel in self.queues.values():
                    if channel.partition == partition:
                        channel.stream.drop_myself()
            except redis.RedisError as error:
                self.logger.warning(
                    "closed while Redis was away (%s); a few messages may be delivered again",
                    type(error).__name__,
                )
            finally:
                disconnect(home.client)

    def _channel(self, queue_name: str) -> Channel:
        try:
            return self.queues[queue_name]
        except KeyError:
            raise QueueNotFound(queue_name) from None  # type: ignore[no-untyped-call]

    def _enqueue_chunk(self, channel: Channel, messages: list[Message[Any]]) -> None:
        for message in messages:
            self.emit_before("enqueue", message, None)
        with translate_errors():
            channel.stream.add([channel.codec.encode(message) for message in messages])
        for message in messages:
            self.emit_after("enqueue", message, None)


def _refuse_delay(delay: int | None) -> None:
    if delay is not None:
        raise DelayRefused(  # type: ignore[no-untyped-call]
            "this broker keeps no delayed messages; enqueue it when it is due"
        )


def _by_queue(messages: list[Message[Any]]) -> Iterator[tuple[str, list[Message[Any]]]]:
    found: dict[str, list[Message[Any]]] = {}
    for message in messages:
        found.setdefault(message.queue_name, []).append(message)
    yield from found.items()
