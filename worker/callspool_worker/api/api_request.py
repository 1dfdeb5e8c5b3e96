"""A request before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from callspool_worker.api.connection import Origin


class Target(NamedTuple):
    """Where a request goes: its origin, the host to name in messages, and its path and query."""

    origin: Origin
    host: str
    path: bytes


class Outgoing(NamedTuple):
    """What is to be sent, when its last byte may be, and how much of the answer is read.

    ``body`` is None for a read; else it is a JSON object, which has two bytes at least.
    """

    method: bytes
    target: Target
    body: bytes | None
    send_before: float
    most: int
