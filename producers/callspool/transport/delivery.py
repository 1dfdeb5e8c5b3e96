"""A message as it is handed to an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dramatiq import Message, MessageProxy

from callspool.transport.codecs import Undecodable

if TYPE_CHECKING:
    from collections.abc import Sequence


class Delivery(MessageProxy):
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
        return f"<Delivery {self} of {self.queue_name}>"


def entry_ids_of(message: MessageProxy) -> Sequence[str]:
    """The entries of a message that a consumer of this broker gave out."""
    return as_delivery(message).entry_ids


def as_delivery(message: MessageProxy) -> Delivery:
    """The same message, known to be one of this broker's."""
    if not isinstance(message, Delivery):
        raise TypeError("this message came from another broker; hand it back there")
    return message


def checked(message: Message[Any], queue_name: str) -> Message[Any]:
    """The message, if a worker can handle it.

    A worker's thread would end on a message of a queue that it has no consumer for.
    """
    if not isinstance(message, Message):
        raise Undecodable("its codec made no message of it")
    if message.queue_name != queue_name:
        raise Undecodable("it names another queue")
    return message
