"""How a message becomes the fields of a stream's entry, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec
from dramatiq import Message

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
        """The message of an entry; it must name this queue.

        Raises `Undecodable` (or anything else) for an entry that goes to the dead letters.
        """

    def encode(self, message: Message[Any]) -> Mapping[str | bytes, bytes]:
        """The fields that carry a message."""


@runtime_checkable
class Joining(Protocol):
    """A codec whose messages may be handed out several at a time."""

    def join(self, messages: Sequence[Message[Any]]) -> Message[Any]:
        """One message for the actor, of two or more of one queue in their order."""


class _Wire(msgspec.Struct):
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
        self._decoder = msgspec.json.Decoder(_Wire)

    def decode(self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]) -> Message[Any]:
        """See `Codec.decode`."""
        del queue_name, entry_id
        text = fields.get(FIELD.encode())
        if text is None:
            raise Undecodable(f"it has no field {FIELD!r}")
        try:
            wire = self._decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Undecodable("its JSON is not that of a message") from error
        return Message(
            wire.queue_name,
            wire.actor_name,
            wire.args,
            wire.kwargs,
            wire.options,
            wire.message_id,
            wire.message_timestamp,
        )

    def encode(self, message: Message[Any]) -> Mapping[str | bytes, bytes]:
        """See `Codec.encode`; raises TypeError for arguments that JSON cannot carry."""
        return {FIELD: self._encoder.encode(message.asdict())}
