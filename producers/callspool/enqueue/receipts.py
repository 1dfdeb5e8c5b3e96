"""What both queues are given, the options, and what their methods return, the receipts."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from callspool.enqueue.connections import Partitioning
from callspool.enqueue.storing import (
    Mismatched,
    NoRoom,
    NotStored,
    Outcome,
    OutgoingMessage,
    Stored,
)
from callspool.errors import (
    CallspoolError,
    InvalidCallRequest,
    LedgerMismatch,
    QueueFull,
    QueueUnavailable,
    SettingsError,
)
from callspool.request.call_request import Rules, is_traceparent, traceparent_of
from callspool.request.identity import DEFAULT_ACCOUNT, Scope, read_document_ids
from callspool.request.message import SHARED_BYTES, SHARED_DOCUMENTS, encode
from callspool.request.single_requests import SingleRequests
from callspool.request.text import as_text, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from callspool.redis_io.servers import RedisEndpoint
    from callspool.request.call_request import PreparedRequest
    from callspool.request.message import Message
    from callspool.settings import Settings


DEFAULT_URL: Final = "redis://localhost:6379/0"
DEFAULT_TIMEOUT: Final = 5.0
DEFAULT_MAX_WAITING: Final = 10_000_000
Client = TypeVar("Client")
STATUS_IDS: Final = 1000
"""Documents whose status is read at a time."""


class Configured(Generic[Client]):
    """Holds the arguments of a queue; raises `SettingsError` for one that cannot be used."""

    def __init__(
        self,
        url_or_client: str | Client = DEFAULT_URL,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        region: str | None = None,
        send_e164: bool = True,
        default_context: str | None = None,
        max_waiting: int = DEFAULT_MAX_WAITING,
        current_trace: Callable[[], str | None] | None = None,
        partitions: int = 1,
    ) -> None:
        if not 0 < timeout < 86_400:
            raise SettingsError("timeout: must be more than 0 and less than 86,400 seconds")
        if max_waiting < 1:
            raise SettingsError("max_waiting: must be at least 1 document")
        if not 1 <= partitions <= 256:
            raise SettingsError("partitions: must be from 1 to 256")
        self._partitions = partitions
        self._given = url_or_client  # kept: a Sentinel client's connections need it alive
        self._timeout = float(timeout)
        self._rules = Rules(region, send_e164, default_context)
        self._max_waiting = int(max_waiting)
        self._current_trace = current_trace
        self._server = self._find_server()
        self._partitioning = Partitioning(self._server, self._partitions, self._max_waiting)
        self._singles = SingleRequests(self._rules, self._partitioning.partition_of)
        self._opened: dict[Any, Any] = {}

    def _find_server(self) -> RedisEndpoint:
        """Returns the server that the arguments lead to; connects to nothing."""
        raise NotImplementedError

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        current_trace: Callable[[], str | None] | None = None,
    ) -> Self:
        """Makes a queue from the ``CALLSPOOL_…`` settings; raises `SettingsError`."""
        from callspool.settings import load_settings  # noqa: PLC0415 - not needed otherwise

        settings = load_settings(os.environ if environ is None else environ)
        return cls.from_settings(settings, timeout=timeout, current_trace=current_trace)

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        current_trace: Callable[[], str | None] | None = None,
    ) -> Self:
        """Makes a queue from these settings."""
        return cls(
            settings.redis_url,
            timeout=timeout,
            region=settings.region,
            send_e164=settings.send_e164,
            default_context=settings.context,
            max_waiting=settings.max_waiting,
            current_trace=current_trace,
            partitions=settings.partitions,
        )

    def _trace_of(self, own: str | None, given: str | None = None) -> str | None:
        """Returns the traceparent to send: the request's own, the caller's, or the current one.

        A wrong answer of `current_trace` is ignored: tracing must not keep a call from being made.
        """
        own = own or (None if given is None else traceparent_of(given))
        if own is not None or self._current_trace is None:
            return own
        current: Any = self._current_trace()
        is_one = isinstance(current, str) and is_traceparent(current)
        return plain_text(current) if is_one else None


def scope_of(space_token: str, campaign: str | None, account: str | None) -> Scope:
    """Returns the scope of a request with these fields."""
    texts = (account or DEFAULT_ACCOUNT, space_token, campaign or "")
    return Scope(*(plain_text(as_text(text)) for text in texts))


PORTION_BYTES: Final = 4 * 1024 * 1024
PORTION_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Receipt:
    """Confirms that Redis has a request: its documents, messages and document ids.

    The ids are in the order of the documents; a document without an id got one. ``message_id`` is
    the id that Redis gave the first of the messages.
    """

    documents: int
    messages: int
    document_ids: tuple[str, ...]
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """Confirms how many requests and documents Redis has.

    ``invalid``: requests of which nothing is stored, since ``on_invalid`` was called with them.
    """

    requests: int
    documents: int
    invalid: int = 0


class InvalidRequestInMany(InvalidCallRequest):
    """One of many call requests is invalid; those before it are in the queue.

    Attributes besides those of `InvalidCallRequest`: ``request`` (its place, from 0) and
    ``enqueued`` (documents that Redis certainly has).
    """

    def __init__(self, fault: InvalidCallRequest, request: int, enqueued: int) -> None:
        super().__init__(
            fault.field,
            fault.reason,
            document=fault.document,
            document_id=fault.document_id,
            others=fault.faults[1:],
        )
        self.request = request
        self.enqueued = enqueued
        self.args = (f"request {request}: {fault}",)

    def __reduce__(self) -> tuple[object, ...]:
        return InvalidRequestInMany, (self.among(self.faults), self.request, self.enqueued)


OnInvalid: TypeAlias = "Callable[[InvalidRequestInMany], object]"
"""Is called with each invalid request of many; the others go on."""


def document_ids(prepared: PreparedRequest) -> tuple[str, ...]:
    """Returns the ids of prepared documents, in their order."""
    known = prepared.ids
    return tuple(read_document_ids(prepared.documents) if known is None else known)


def small_message(prepared: PreparedRequest) -> Message | None:
    """Returns the message of a request that is small enough to share its round trip, else None."""
    if prepared.count > SHARED_DOCUMENTS:
        return None
    message, *more = encode(prepared)
    return None if more or len(message.requests) > SHARED_BYTES else message


class Portion:
    """Messages gathered to be stored together: bounded in bytes and in age."""

    def __init__(self) -> None:
        self._messages: list[OutgoingMessage] = []
        self._size = 0
        self._since = 0.0

    def add(
        self,
        message: Message,
        trace: str | None = None,
        partition: int = 0,
        key: str | None = None,
    ) -> bool:
        """Takes one more; returns True when it is time to store what was gathered."""
        if not self._messages:
            self._since = time.monotonic()
        self._messages.append(OutgoingMessage(message, trace, partition, key))
        self._size += len(message.requests)
        return self._size >= PORTION_BYTES or time.monotonic() - self._since >= PORTION_SECONDS

    def take(self) -> list[OutgoingMessage]:
        """Returns all that was gathered since the last time; maybe nothing."""
        taken, self._messages, self._size = self._messages, [], 0
        return taken


def portions(
    messages: Iterable[Message], trace: str | None, partition: int = 0
) -> Iterator[list[OutgoingMessage]]:
    """Yields the messages of one request, in runs of bounded size."""
    run: list[OutgoingMessage] = []
    size = 0
    for message in messages:
        run.append(OutgoingMessage(message, trace, partition))
        size += len(message.requests)
        if size >= PORTION_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run


def error_of(outcome: NoRoom | NotStored | Mismatched, enqueued: int) -> CallspoolError:
    """Returns the error for the caller of a message that was not stored."""
    if isinstance(outcome, Mismatched):
        return LedgerMismatch(outcome.reason, enqueued=enqueued)
    if isinstance(outcome, NoRoom):
        return QueueFull(outcome.reason, enqueued=enqueued)
    return QueueUnavailable(outcome.reason, enqueued=enqueued)


def note_enqueued(error: Exception, enqueued: int) -> None:
    """Adds to an error of the caller's own how many documents Redis has by now."""
    with suppress(AttributeError):  # an error of a class with slots has no room for it
        error.enqueued = enqueued  # type: ignore[attr-defined]
    error.add_note(f"callspool: {enqueued} documents of this enqueue_many are in the queue")


class EnqueueTally:
    """Counts what Redis certainly has. ``invalid``: requests that were left out."""

    def __init__(self, on_invalid: OnInvalid | None = None) -> None:
        self.requests = 0
        self.documents = 0
        self.messages = 0
        self.invalid = 0
        self.first_id = ""
        self._on_invalid = on_invalid

    @property
    def skips_invalid(self) -> bool:
        return self._on_invalid is not None

    def leave_out(self, fault: InvalidCallRequest) -> None:
        """Tells the caller of an invalid request, and goes on; raises its error if it is not asked.

        Its place is among all requests, those that were left out included.
        """
        place = self.requests + self.invalid
        found = InvalidRequestInMany(fault, place, self.documents)
        if self._on_invalid is None:
            raise found from None
        self.invalid += 1
        self._on_invalid(found)

    def add(self, messages: Sequence[OutgoingMessage], outcomes: Sequence[Outcome]) -> None:
        """Counts stored messages; raises the error of the first that was not stored."""
        bad: NoRoom | NotStored | Mismatched | None = None
        for each, outcome in zip(messages, outcomes, strict=True):
            if isinstance(outcome, Stored):
                self.first_id = self.first_id or outcome.entry_id.decode()
                self.documents += each.message.documents
                self.messages += 1
            elif bad is None:
                bad = outcome
        if bad is not None:
            raise error_of(bad, self.documents)

    @property
    def summary(self) -> Summary:
        return Summary(self.requests, self.documents, self.invalid)
