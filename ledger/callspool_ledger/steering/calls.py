"""One typed function for each script by which operators steer; as `calls`, apart for its length.

``number`` is that of the journal's entry that a command adds to, 0 until it has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool_ledger import keys, scripts
from callspool_ledger.writes.calls import WAKE_UPS_AT_MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.reads.views import GateView
    from callspool_ledger.selectors import Selector


class Asked(NamedTuple):
    """What an operator asks for, and who that is."""

    by: str
    selector: Selector
    document_id: str | None = None

    @property
    def record(self) -> bytes:
        """What is asked for, as scripts and the journal have it."""
        asked = self.selector.as_object()
        if self.document_id is not None:
            asked["document_id"] = self.document_id
        return msgspec.json.encode(asked)


def _call(name: str, partition: int, *args: Argument) -> Call:
    return scripts.load(f"steering/{name}").call([keys.prefix(partition)], args)


def pause(partition: int, asked: Asked) -> Call:
    """Stops sending what belongs to a selector, now and later."""
    return _call("pause", partition, asked.selector.name, asked.by, asked.record)


def held(partition: int, number: int, documents: int) -> Call:
    """Writes into the journal how many documents a pause or its end concerned."""
    return _call("held", partition, number, documents)


def resume(
    partition: int, asked: Asked, number: int, gates: Sequence[GateView], lanes: int = 500
) -> Call:
    """Ends pauses and opens parked gates; ``lanes`` are free at once, the others bit by bit."""
    names: list[Argument] = []
    for gate in gates:
        names += ["pauses" if gate.kind == "paused" else "gates", gate.name]
    return _call(
        "resume", partition, lanes, WAKE_UPS_AT_MOST, number, asked.by, asked.record, *names
    )


def cancel(
    partition: int, asked: Asked, account: str, cursor: str, began_ms: str, number: int, piece: int
) -> Call:
    """Takes back waiting documents of an account that a selector means, a piece a call."""
    return _call(
        "cancel", partition, account, cursor, piece, began_ms, number, asked.by, asked.record
    )


def cancel_one(partition: int, asked: Asked, digest: bytes, number: int) -> Call:
    """Takes back one waiting document."""
    return _call("cancel_one", partition, digest, number, asked.by, asked.record)


def replay(
    partition: int, asked: Asked, cursor: str, began_ms: str, number: int, piece: int
) -> Call:
    """Lets dead documents of a selector wait again, a piece a call."""
    return _call(
        "replay",
        partition,
        cursor,
        piece,
        began_ms,
        number,
        asked.by,
        asked.record,
        WAKE_UPS_AT_MOST,
    )


def replay_one(partition: int, asked: Asked, digest: bytes, number: int) -> Call:
    """Lets one dead document wait again."""
    return _call("replay_one", partition, digest, number, asked.by, asked.record, WAKE_UPS_AT_MOST)


def drop(partition: int, asked: Asked, cursor: str, began_ms: str, number: int, piece: int) -> Call:
    """Gives up dead documents of a selector for good, a piece a call."""
    return _call("drop", partition, cursor, piece, began_ms, number, asked.by, asked.record)


def drop_one(partition: int, asked: Asked, digest: bytes, number: int) -> Call:
    """Gives up one dead document for good."""
    return _call("drop_one", partition, digest, number, asked.by, asked.record)


def replay_messages(
    partition: int, by: str, after: str, last: str, number: int, piece: int
) -> Call:
    """Hands unreadable messages to the workers again, a piece a call."""
    stream, dead = keys.stream(keys.REQUESTS, partition), keys.dead_stream(keys.REQUESTS, partition)
    return scripts.load("steering/replay_messages").call(
        [keys.prefix(partition), stream, dead], [after, last, piece, number, by]
    )


def drop_messages(partition: int, by: str, after: str, last: str, number: int, piece: int) -> Call:
    """Gives up unreadable messages, a piece a call."""
    dead = keys.dead_stream(keys.REQUESTS, partition)
    return scripts.load("steering/drop_messages").call(
        [keys.prefix(partition), dead], [after, last, piece, number, by]
    )


def confirm(
    partition: int,
    asked: Asked,
    space: str,
    cursor: str,
    *,
    till_ms: int,
    only_held: bool,
    number: int,
    piece: int,
    run_id: str,
) -> Call:
    """Counts documents in doubt of a space and a selector as created, a piece a call."""
    which = (space, cursor, piece, till_ms, int(only_held))
    return _call("confirm", partition, *which, number, asked.by, asked.record, run_id)


def confirm_one(
    partition: int, asked: Asked, digest: bytes, number: int, *, run_id: str, task_id: str
) -> Call:
    """Counts one document in doubt as created."""
    said = (run_id, task_id)
    return _call("confirm_one", partition, digest, number, asked.by, asked.record, *said)


def resend_unproven(
    partition: int,
    asked: Asked,
    space: str,
    cursor: str,
    *,
    till_ms: int,
    only_held: bool,
    number: int,
    piece: int,
) -> Call:
    """Lets documents in doubt of a space and a selector wait again, a piece a call."""
    which = (space, cursor, piece, till_ms, int(only_held))
    by = (number, asked.by, asked.record)
    return _call("resend_unproven", partition, *which, *by, WAKE_UPS_AT_MOST)


def resend_one(partition: int, asked: Asked, digest: bytes, number: int) -> Call:
    """Lets one document in doubt wait again."""
    return _call("resend_one", partition, digest, number, asked.by, asked.record, WAKE_UPS_AT_MOST)
