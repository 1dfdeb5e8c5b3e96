"""Round trips to Redis from threads: the connections of one process, each within a deadline."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, ReadOnlyError, ResponseError

from callspool.enqueue.backoff import pauses
from callspool.enqueue.outcomes import TRANSPORT_ERRORS, Failed, Outcome, Outgoing, failure_of
from callspool.redis_io.resp import Reader, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.enqueue.storing import Spool
    from callspool.redis_io.scripts import Command, Reply
    from callspool.redis_io.servers import Server

IDLE_CONNECTIONS: Final = 8
_AT_ONCE: Final = 64 * 1024
_LEAST_TIMEOUT: Final = 0.001  # 0 would mean: do not block at all


class DeadlineConnection(AbstractConnection):
    """A connection whose every step, the handshake included, ends by one deadline.

    redis-py's timeouts are for each address tried, each write and each read; here they are what is
    left until ``deadline`` (of `time.monotonic`), so their sum has a limit.
    """

    deadline = 0.0
    is_looked_up = False
    """Whether its server is one of several: it reads for itself who says that it is another one."""
    _reader: Any = None

    def ask(self, packed: bytes, number: int) -> list[Reply]:
        """Sends commands, and reads so many replies, errors among them.

        Raises redis-py's errors, and those of the socket as they are.
        """
        connected: Any = self._sock
        if Reader is None or connected is None or self.is_looked_up:
            self.send_packed_command([packed])
            return [_reply(self) for _ in range(number)]
        # What redis-py does around these calls takes longer than they do.
        if self._reader is None:
            self._reader = Reader(InvalidResponse, self._parser.parse_error)
        connected.settimeout(self._left())
        connected.sendall(packed)
        replies: list[Reply] = []
        while len(replies) < number:
            reply = self._reader.gets()
            if reply is False:  # not all of it is there
                connected.settimeout(self._left())
                self._feed(connected.recv(_AT_ONCE))
            elif isinstance(reply, Disconnected):
                raise reply
            else:
                replies.append(reply)
        return replies

    def _feed(self, found: bytes) -> None:
        if not found:
            raise Disconnected("Connection closed by server.")
        self._reader.feed(found)

    def _left(self) -> float:
        return max(self.deadline - time.monotonic(), _LEAST_TIMEOUT)

    @property
    def socket_timeout(self) -> float:
        return self._left()

    @socket_timeout.setter
    def socket_timeout(self, value: object) -> None:
        """redis-py sets its own; the deadline decides."""

    @property
    def socket_connect_timeout(self) -> float:
        return self._left()

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, value: object) -> None:
        """redis-py sets its own; the deadline decides."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        self._limit_socket()
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        self._limit_socket()
        return super().read_response(*args, **kwargs)

    def _limit_socket(self) -> None:
        connected: Any = self._sock
        if connected is not None:
            connected.settimeout(self._left())


class Wire:
    """The connections of one process, and how messages travel over them.

    Threads take a connection each for one round trip; a deque's ends need no lock. A process made
    by fork must not use its parent's `Wire`; it calls `abandon` on it, which closes the child's
    copies of the sockets and leaves the parent's connections as they are.
    """

    def __init__(self, server: Server, spool: Spool) -> None:
        self._server = server
        self._spool = spool
        self._idle: deque[Any] = deque()
        self._open: set[Any] = set()
        self._closed = False
        kind: Any = server.connection_class
        how = {"is_looked_up": bool(server.name)}
        self._class: Any = type(f"Deadline{kind.__name__}", (DeadlineConnection, kind), how)

    def store_all(self, messages: Sequence[Outgoing], deadline: float) -> list[Outcome]:
        """As `store`, and tries again what failed for the moment, until the deadline."""
        outcomes = self.store(messages, deadline)
        for pause in pauses():
            again = [
                place
                for place, outcome in enumerate(outcomes)
                if isinstance(outcome, Failed) and outcome.again
            ]
            if not again or time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
            retried = self.store([messages[place] for place in again], deadline)
            for place, outcome in zip(again, retried, strict=True):
                outcomes[place] = outcome
        return outcomes

    def store(self, messages: Sequence[Outgoing], deadline: float) -> list[Outcome]:
        """Stores messages, as a rule in one round trip; the outcome of each, in order."""
        steps = self._spool.store(messages)
        try:
            commands = next(steps)
            while True:
                commands = steps.send(self.exchange(commands, deadline))
        except StopIteration as done:
            return list(done.value)
        except TRANSPORT_ERRORS as error:
            return [failure_of(error, str(self._server))] * len(messages)

    def exchange(self, commands: Sequence[Command], deadline: float) -> list[Reply]:
        """One round trip. Raises what redis-py raises when it cannot be made in time."""
        try:
            connection, is_new = self._idle.pop(), False
        except IndexError:
            connection, is_new = self._new(), True
        connection.deadline = deadline
        try:
            if is_new:
                connection.connect()
            replies: list[Reply] = connection.ask(pack(commands), len(commands))
        except BaseException:
            self._drop(connection)
            raise
        for reply in replies:
            if isinstance(reply, ReadOnlyError):  # the server was demoted: look it up anew
                self._drop(connection)
                return replies
        self._give_back(connection)
        return replies

    def close(self) -> None:
        """Closes the connections: those in use when their round trip is over."""
        self._closed = True
        while self._idle:
            self._drop(self._idle.pop())

    def abandon(self) -> None:
        """For a child after fork: lets go of the parent's connections without a word to Redis."""
        self._idle.clear()
        while self._open:
            self._open.pop().disconnect()

    def _new(self) -> Any:
        connection = self._class(**self._server.options)
        self._open.add(connection)
        return connection

    def _give_back(self, connection: Any) -> None:
        if len(self._idle) < IDLE_CONNECTIONS and not self._closed:
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: Any) -> None:
        self._open.discard(connection)
        connection.disconnect()


def _reply(connection: Any) -> Reply:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
