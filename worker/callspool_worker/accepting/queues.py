"""The worker's two queues, as dramatiq sees them: call requests, and wake-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dramatiq import Message

from callspool.errors import MessageUnreadable
from callspool.request.message import decode as decode_requests
from callspool.transport.messages import Undecodable
from callspool_ledger import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.transport.messages import Codec

ACCEPT = "accept"
SUBMIT = "submit"


class RequestsCodec:
    """Entries of producers: they go to ``accept``, read once, with their id.

    Raises `Undecodable` for what no worker of this release can read: it is kept whole.
    """

    def decode(self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]) -> Message[Any]:
        try:
            envelope = decode_requests(fields)
        except MessageUnreadable as fault:
            raise Undecodable(str(fault)) from None
        _, partition = keys.queue_and_partition(queue_name)
        args = (((entry_id, envelope),), partition)
        return Message(queue_name, ACCEPT, args, {}, {}, message_id=entry_id)

    def join(self, messages: Sequence[Message[Any]]) -> Message[Any]:
        entries = tuple(entry for message in messages for entry in message.args[0])
        return messages[0].copy(args=(entries, messages[0].args[1]))

    def encode(self, message: Message[Any]) -> Mapping[str | bytes, bytes]:
        del message
        raise TypeError("call requests are enqueued by producers: use callspool.CallQueue")


class WakeupsCodec:
    """Entries of the ledger: all say the same, that something may be ready to be sent."""

    def decode(self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]) -> Message[Any]:
        del fields
        _, partition = keys.queue_and_partition(queue_name)
        return Message(queue_name, SUBMIT, (partition,), {}, {}, message_id=entry_id)

    def encode(self, message: Message[Any]) -> Mapping[str | bytes, bytes]:
        del message
        return {"w": b"1"}


CODECS: dict[str, Codec] = {keys.REQUESTS: RequestsCodec(), keys.WAKEUPS: WakeupsCodec()}
