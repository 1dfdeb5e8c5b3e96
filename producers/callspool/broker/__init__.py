"""The transport: a dramatiq broker over Redis Streams."""

from callspool.broker.channel import Patience
from callspool.broker.codecs import Codec, MessageCodec, Undecodable
from callspool.broker.connections import CommandRefused
from callspool.broker.delivery import Delivery
from callspool.broker.streams_broker import DelayRefused, StreamsBroker

__all__ = [
    "Codec",
    "CommandRefused",
    "DelayRefused",
    "Delivery",
    "MessageCodec",
    "Patience",
    "StreamsBroker",
    "Undecodable",
]
