"""The transport: a dramatiq broker over Redis Streams."""

from callspool.transport.channel import Patience
from callspool.transport.consumer import MOST_TOGETHER
from callspool.transport.messages import Codec, DeliveredMessage, Joining, MessageCodec, Undecodable
from callspool.transport.stream import CommandRefused
from callspool.transport.streams_broker import DelayRefused, StreamsBroker

__all__ = [
    "MOST_TOGETHER",
    "Codec",
    "CommandRefused",
    "DelayRefused",
    "DeliveredMessage",
    "Joining",
    "MessageCodec",
    "Patience",
    "StreamsBroker",
    "Undecodable",
]
