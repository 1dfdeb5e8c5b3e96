"""What `enqueue` and `enqueue_many` return, and what they have gathered and stored so far."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callspool.enqueue.outcomes import (
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
)
from callspool.request.identity import read_document_ids
from callspool.request.message import SHARED_BYTES, SHARED_DOCUMENTS, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from callspool.request.call_request import PreparedRequest
    from callspool.request.message import Message

PORTION_BYTES: Final = 4 * 1024 * 1024
PORTION_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Receipt:
    """Confirms that Redis has a request: its documents, messages and document ids.

    The ids are in the order of the documents; a document without an id got one.
    """

    documents: int
    messages: int
    document_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Confirms how many requests and documents Redis has."""

    requests: int
    documents: int


class InvalidRequestInMany(InvalidCallRequest):
    """One of many call requests is invalid; those before it are in the queue.

    Attributes besides those of `InvalidCallRequest`: ``request`` (its place, from 0) and
    ``enqueued`` (documents that Redis certainly has).
    """

    def __init__(self, fault: InvalidCallRequest, request: int, enqueued: int) -> None:
        super().__init__(
            fault.field, fault.reason, document=fault.document, document_id=fault.document_id
        )
        self.request = request
        self.enqueued = enqueued
        self.args = (f"request {request}: {fault}",)

    def __reduce__(self) -> tuple[object, ...]:
        fault = InvalidCallRequest(
            self.field, self.reason, document=self.document, document_id=self.document_id
        )
        return InvalidRequestInMany, (fault, self.request, self.enqueued)


def document_ids(prepared: PreparedRequest) -> tuple[str, ...]:
    """Returns the ids of prepared documents, in their order."""
    return tuple(read_document_ids(prepared.documents))


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

    def add(self, message: Message, trace: str | None = None, partition: int = 0) -> bool:
        """Takes one more; returns True when it is time to store what was gathered."""
        if not self._messages:
            self._since = time.monotonic()
        self._messages.append(OutgoingMessage(message, trace, partition))
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
    """Counts what Redis certainly has."""

    def __init__(self) -> None:
        self.requests = 0
        self.documents = 0
        self.messages = 0

    def add(self, messages: Sequence[OutgoingMessage], outcomes: Sequence[Outcome]) -> None:
        """Counts stored messages; raises the error of the first that was not stored."""
        bad: NoRoom | NotStored | Mismatched | None = None
        for each, outcome in zip(messages, outcomes, strict=True):
            if isinstance(outcome, Stored):
                self.documents += each.message.documents
                self.messages += 1
            elif bad is None:
                bad = outcome
        if bad is not None:
            raise error_of(bad, self.documents)

    @property
    def summary(self) -> Summary:
        return Summary(self.requests, self.documents)
