"""How far the ledger is: its clock, the messages still to be accepted, and whether work is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from callspool_ledger.reads.reading import merged_by, of_ledger, of_one_space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips

MessageId: TypeAlias = tuple[int, int]
"""The id of a stream's entry, in its two numbers."""


@of_ledger
def read_clock(keys: PartitionKeys) -> Trips[int]:
    """Reads Redis' clock, the only one that the ledger knows; unix milliseconds."""
    del keys
    replies: list[Any] = yield [("TIME",)]
    ((seconds, micros),) = replies
    return int(seconds) * 1000 + int(micros) // 1000


@of_one_space
def read_last_message(keys: PartitionKeys) -> Trips[MessageId]:
    """Reads the newest message that no worker has accepted yet; (0, 0) if there is none."""
    replies: list[Any] = yield [("XREVRANGE", keys.requests, "+", "-", "COUNT", 1)]
    (found,) = replies
    return _message_id(found[0][0]) if found else (0, 0)


@of_one_space
def read_has_accepted(keys: PartitionKeys, message: MessageId) -> Trips[bool]:
    """Reads whether workers have accepted every message up to this one: accepted ones are gone."""
    replies: list[Any] = yield [("XRANGE", keys.requests, "-", "+", "COUNT", 1)]
    (found,) = replies
    return not found or _message_id(found[0][0]) > message


@merged_by(all)
def read_is_quiet(keys: PartitionKeys, accounts: Sequence[str]) -> Trips[bool]:
    """Reads whether nothing of these accounts is under way, ready or due, but behind gates."""
    rings: list[Command] = [("LLEN", keys.ring(name)) for name in accounts]
    replies: list[Any] = yield [("HLEN", keys.sending), ("ZRANGE", keys.due, 0, 100), *rings]
    sending, due, *ready = replies
    return not sending and not any(ready) and all(each.startswith((b"G", b"P")) for each in due)


def _message_id(text: bytes) -> MessageId:
    milliseconds, _, number = text.decode().partition("-")
    return int(milliseconds), int(number)
