"""Messages: how they become a stream's entries, and how they are handed to an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec
from dramatiq import Message, MessageProxy

from callspool.errors import CallspoolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIELD = "m"
"""The one field of a message that the `MessageCodec` wrote."""


class Undecodable(CallspoolError):  # noqa: N818 - says what the entry is
    """An entry that is no message; `reason` says why, and quotes nothing of its content."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this entry is no message: {reason}")


class Codec(Protocol):
    """What a queue's entries look like."""

    def decode(self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]) -> Message[Any]:
        """Returns the message of an entry; it must name this queue.

        Raises `Undecodable` (or anything else) for an entry that goes to the dead letters.
        """

    def encode(self, message: Message[Any]) -> Mapping[str | bytes, bytes]:
        """Returns the fields that carry a message."""


@runtime_checkable
class Joining(Protocol):
    """A codec whose messages may be handed out several at a time."""

    def join(self, messages: Sequence[Message[Any]]) -> Message[Any]:
        """Returns one message for the actor, of two or more of one queue in their order."""


class _MessageJson(msgspec.Struct):
    """A message of dramatiq, field by field."""

    queue_name: str
    actor_name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    message_id: str
    message_timestamp: int


class MessageCodec:
    """Carries any message of dramatiq as JSON in one field.

    It has an encoder of its own: the process-global one belongs to the application.
    """

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(_MessageJson)

    def decode(self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]) -> Message[Any]:
        """See `Codec.decode`."""
        del queue_name, entry_id
        text = fields.get(FIELD.encode())
        if text is None:
            raise Undecodable(f"it has no field {FIELD!r}")
        try:
            parsed = self._decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Undecodable("its JSON is not that of a message") from error
        return Message(
            parsed.queue_name,
            parsed.actor_name,
            parsed.args,
            parsed.kwargs,
            parsed.options,
            parsed.message_id,
            parsed.message_timestamp,
        )

    def encode(self, message: Message[Any]) -> Mapping[str | bytes, bytes]:
        """See `Codec.encode`; raises TypeError for arguments that JSON cannot carry."""
        return {FIELD: self._encoder.encode(message.asdict())}


class DeliveredMessage(MessageProxy):
    """One delivery of one entry, or of several at once that a codec joined.

    Attributes: ``entry_ids`` in the stream; ``deliveries`` of each so far, this one included.
    """

    def __init__(self, message: Message[Any], entry_ids: Sequence[str], deliveries: int) -> None:
        super().__init__(message)
        vars(self).update(vars(message))  # spares workers a call for each look at a field
        self.entry_ids = entry_ids
        self.deliveries = deliveries

    @property
    def failure(self) -> str:
        """Why it was rejected, in one word; never the error's text, which may quote content."""
        return type(self._exception).__name__ if self._exception else "rejected"

    # Workers log messages; arguments hold names and phone numbers.
    def __str__(self) -> str:
        return f"{self.actor_name}[{', '.join(self.entry_ids)}]"

    def __repr__(self) -> str:
        return f"<DeliveredMessage {self} of {self.queue_name}>"


def entry_ids_of(message: MessageProxy) -> Sequence[str]:
    """Returns the ids of the entries of a message that a consumer of this broker gave out."""
    return as_delivery(message).entry_ids


def as_delivery(message: MessageProxy) -> DeliveredMessage:
    """Returns the same message; raises TypeError for one of another broker."""
    if not isinstance(message, DeliveredMessage):
        raise TypeError("this message came from another broker; hand it back there")
    return message


def check_message(message: Message[Any], queue_name: str) -> Message[Any]:
    """Returns the message if a worker can handle it, else raises `Undecodable`.

    A worker's thread would end on a message of a queue that it has no consumer for.
    """
    if not isinstance(message, Message):
        raise Undecodable("its codec made no message of it")
    if message.queue_name != queue_name:
        raise Undecodable("it names another queue")
    return message
