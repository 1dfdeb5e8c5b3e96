"""The transport: a dramatiq broker over Redis Streams."""

from callspool.broker.channel import Patience
from callspool.broker.codecs import Codec, Joining, MessageCodec, Undecodable
from callspool.broker.connections import CommandRefused
from callspool.broker.consumer import MOST_TOGETHER
from callspool.broker.delivery import Delivery
from callspool.broker.streams_broker import DelayRefused, StreamsBroker

__all__ = [
    "MOST_TOGETHER",
    "Codec",
    "CommandRefused",
    "DelayRefused",
    "Delivery",
    "Joining",
    "MessageCodec",
    "Patience",
    "StreamsBroker",
    "Undecodable",
]
