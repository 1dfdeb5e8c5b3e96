"""The relay: call requests that services wrote in their own transactions go into the queue.

A row leaves the outbox in a transaction that commits once Redis has its documents. A relay that
dies in between leaves the row, and it is enqueued again: its documents are known by their ids.
Rows are found by being there, never by a cursor, so one that commits late is not passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import psycopg

from callspool.enqueue.connections import PartitionConnections, Partitioning
from callspool.enqueue.receipts import error_of
from callspool.enqueue.storing import NotStored, OutgoingMessage, Stored
from callspool.errors import CallspoolError, InvalidCallRequest
from callspool.redis_io.servers import server_of
from callspool.request.call_request import PreparedRequest
from callspool.request.checks import check_envelope, check_raw_document, check_timely
from callspool.request.message import RequestEnvelope, describe_fault, encode
from callspool.request.raw_document import has_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from callspool.request.call_request import Rules
    from callspool.request.message import Message
    from callspool.settings import Settings

ROWS: Final = 200
"""Rows of one transaction."""
TIMEOUT: Final = 10.0
POLL: Final = 5.0
"""Seconds after which the outbox is looked at, also where no notice came."""
PAUSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the next try while PostgreSQL or the queue is away."""

_LOCK = (
    "SELECT id, request::text FROM callspool_outbox WHERE refused IS NULL"
    " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
)
_REMOVE = "DELETE FROM callspool_outbox WHERE id = ANY(%s)"
_REFUSE = "UPDATE callspool_outbox SET refused = %s WHERE id = %s"


class RelayedRows(NamedTuple):
    """What one transaction did: rows that left the outbox, their documents, and rows refused."""

    rows: int = 0
    documents: int = 0
    refused: int = 0

    @property
    def done(self) -> int:
        """Rows that need no other look."""
        return self.rows + self.refused


def prepare_row(text: str, rules: Rules) -> PreparedRequest:
    """Checks the call request of one row; raises `InvalidCallRequest` for the first fault.

    Every document has to have a ``document_id``: only then is it known again when it is repeated.
    """
    try:
        envelope = msgspec.json.decode(text, type=RequestEnvelope)
    except msgspec.MsgspecError as fault:
        raise InvalidCallRequest("request", describe_fault(fault)) from None
    head = check_envelope(envelope, rules)
    check_timely(head, time.time())
    return PreparedRequest(
        head, [[_check(bytes(raw), rules, place) for place, raw in enumerate(envelope.documents)]]
    )


def _check(raw: bytes, rules: Rules, place: int) -> bytes:
    document = check_raw_document(raw, rules, place=place)
    if not has_field(raw, "document_id"):
        raise InvalidCallRequest(
            "document_id", "is missing: in an outbox every document needs one", document=place
        )
    return document.raw


class _ReadyRow(NamedTuple):
    """A row that can be enqueued: its documents in all, and the messages that are to be stored."""

    number: int
    documents: int
    messages: list[OutgoingMessage]


def _digest(message: Message) -> bytes:
    return hashlib.blake2b(message.requests, digest_size=16).digest()


def _writable(reason: str, database: psycopg.Connection[Any]) -> str:
    """Returns the reason in letters that the database can hold."""
    info = database.info
    if info.encoding == "utf-8" and info.parameter_status("server_encoding") == "UTF8":
        return reason
    return reason.encode("ascii", "backslashreplace").decode()


class OutboxRelay:
    """Moves rows from one outbox into the queue. A context manager."""

    def __init__(self, settings: Settings) -> None:
        server = server_of(settings.redis_url, TIMEOUT)
        self._partitioning = Partitioning(server, settings.partitions, settings.max_waiting)
        self._connections = PartitionConnections(self._partitioning)
        self._rules = settings.rules
        self._stored: dict[int, set[bytes]] = {}
        """Of rows that the queue took in part: digests of the messages that it has."""

    def relay_some(self, database: psycopg.Connection[Any]) -> RelayedRows:
        """Moves some rows, in one transaction; several relays may do so at a time.

        Rows that the queue does not take stay. Raises `QueueFull`, `QueueUnavailable` or another
        `CallspoolError` only where no row was moved or refused, and `psycopg.Error`.
        """
        try:
            return self._relay_some(database)
        except psycopg.ProgrammingError as fault:
            raise CallspoolError(
                f"the table callspool_outbox cannot be used ({type(fault).__name__}):"
                " callspool relay --sql prints what makes it"
            ) from None

    def _relay_some(self, database: psycopg.Connection[Any]) -> RelayedRows:
        with database.transaction():
            rows = database.execute(_LOCK, (ROWS,)).fetchall()
            ready: list[_ReadyRow] = []
            for number, text in rows:
                try:
                    ready.append(self._make_ready(number, text))
                except InvalidCallRequest as fault:
                    database.execute(_REFUSE, (_writable(str(fault), database), number))
            stored, failure = self._enqueue(ready)
            if stored:
                database.execute(_REMOVE, ([each.number for each in stored],))
        documents = sum(each.documents for each in stored)
        done = RelayedRows(len(stored), documents, len(rows) - len(ready))
        if failure is not None and not done.done:
            raise failure
        return done

    def _make_ready(self, number: int, text: str) -> _ReadyRow:
        """Returns the messages of a row; a fault of any kind is its own, and stops no other."""
        try:
            prepared = prepare_row(text, self._rules)
            partition = self._partitioning.partition_of(prepared.envelope)
            known = self._stored.get(number, set())
            messages = [
                OutgoingMessage(each, None, partition)
                for each in encode(prepared)
                if not known or _digest(each) not in known
            ]
        except InvalidCallRequest:
            raise
        except RecursionError:
            raise InvalidCallRequest("request", "is nested too deeply") from None
        except Exception as fault:  # noqa: BLE001 - its row says so
            reason = f"cannot be read ({type(fault).__name__})"
            raise InvalidCallRequest("request", reason) from None
        return _ReadyRow(number, prepared.count, messages)

    def _enqueue(self, ready: Sequence[_ReadyRow]) -> tuple[list[_ReadyRow], CallspoolError | None]:
        """Returns the rows that Redis has whole, and the first error of the others."""
        messages = [message for each in ready for message in each.messages]
        if not messages:
            return [*ready], None
        try:
            self._connections.check_partitions(time.monotonic() + TIMEOUT)
        except CallspoolError as fault:
            self._stored = {}
            return [], fault
        outcomes = self._connections.store_in_turn(messages, TIMEOUT)
        left = iter(outcomes)
        stored, in_part = [], {}
        for each in ready:
            taken = [one for one in each.messages if isinstance(next(left), Stored)]
            if len(taken) == len(each.messages):
                stored.append(each)
            else:
                known = self._stored.get(each.number, set())
                in_part[each.number] = known | {_digest(one.message) for one in taken}
        # A Redis that was away may have forgotten what it took: those rows are stored anew.
        was_away = any(isinstance(each, NotStored) for each in outcomes)
        self._stored = {} if was_away else in_part
        bad = next((each for each in outcomes if not isinstance(each, Stored)), None)
        return stored, None if bad is None else error_of(bad, 0)

    def close(self) -> None:
        """Closes the connections to Redis."""
        self._connections.close()


def drain(
    relay: OutboxRelay,
    database: psycopg.Connection[Any],
    tell: Callable[[RelayedRows], None] | None = None,
) -> RelayedRows:
    """Moves rows until there are none; returns what was done in all.

    Where it has to raise, ``tell`` is called with what was done before.
    """
    total = RelayedRows()
    try:
        while (some := relay.relay_some(database)).done:
            total = RelayedRows(*(before + now for before, now in zip(total, some, strict=True)))
    except (CallspoolError, psycopg.Error):
        if total.done and tell is not None:
            tell(total)
        raise
    return total


def follow(
    relay: OutboxRelay,
    connect: Callable[[], psycopg.Connection[Any]],
    is_over: Callable[[], bool],
    tell: Callable[[RelayedRows], None],
    complain: Callable[[str], None],
) -> None:
    """Moves rows as they come, until it is over; waits while PostgreSQL or Redis is away."""
    for pause in _pauses_until(is_over):
        try:
            with connect() as database:
                database.execute("LISTEN callspool_outbox")
                while not is_over():
                    if (done := drain(relay, database, tell)).done:
                        tell(done)
                        pause.reset()
                    _wait(database, is_over)
        except (psycopg.Error, CallspoolError) as fault:
            complain(describe_failure(fault))


def _wait(database: psycopg.Connection[Any], is_over: Callable[[], bool]) -> None:
    """Waits for a notice, for a while."""
    until = time.monotonic() + POLL
    while not is_over() and time.monotonic() < until:
        for _ in database.notifies(timeout=0.5, stop_after=1):
            return


class _Pause:
    """How many tries failed in a row."""

    def __init__(self) -> None:
        self.tries = 0

    def reset(self) -> None:
        self.tries = 0


def _pauses_until(is_over: Callable[[], bool]) -> Iterator[_Pause]:
    """Yields before each try, after a pause that grows from one failure to the next."""
    pause = _Pause()
    while not is_over():
        yield pause
        until = time.monotonic() + PAUSES[min(pause.tries, len(PAUSES) - 1)]
        pause.tries += 1
        while not is_over() and time.monotonic() < until:
            time.sleep(0.05)


def describe_failure(fault: Exception) -> str:
    """Returns what failed, and that the rows stay, in one line."""
    if isinstance(fault, CallspoolError):
        return f"{fault}; the rows stay in the outbox meanwhile"
    if not isinstance(fault, (psycopg.OperationalError, psycopg.InterfaceError)):
        return f"PostgreSQL refused ({type(fault).__name__}): the rows stay in the outbox"
    return f"PostgreSQL does not answer ({type(fault).__name__}): the rows stay in the outbox"


@contextlib.contextmanager
def open_relay(settings: Settings) -> Iterator[OutboxRelay]:
    """Makes a relay, and closes its connections at the end."""
    relay = OutboxRelay(settings)
    try:
        yield relay
    finally:
        relay.close()
