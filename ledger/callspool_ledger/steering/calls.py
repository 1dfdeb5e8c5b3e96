"""One typed method for each script by which operators steer.

``number`` is that of the journal's entry that a command adds to, 0 until it has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool_ledger import scripts
from callspool_ledger.writes.follow_calls import WAKE_UPS_AT_MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.views import GateView
    from callspool_ledger.selectors import Selector


class SteeringOrder(NamedTuple):
    """What an operator asks for, and the name of the operator."""

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


class SteeringCalls:
    """The calls of one partition: one method for each script by which operators steer."""

    def __init__(self, keys: PartitionKeys) -> None:
        self._keys = keys

    def _call(self, name: str, *args: Argument) -> Call:
        return scripts.load(f"steering/{name}").call([self._keys.prefix], args)

    def pause(self, order: SteeringOrder, note: str = "", till_ms: int = 0) -> Call:
        """Stops sending what belongs to a selector, now and later; until then, if not 0."""
        return self._call("pause", order.selector.name, order.by, order.record, note, till_ms)

    def set_campaign(
        self, order: SteeringOrder, revision: int, record: bytes, detail: str, timed: bool
    ) -> Call:
        """Writes what holds for a campaign, if it is still at this revision; no record for none."""
        selector = order.selector
        name = (selector.account or "", selector.campaign or "")
        told = (order.by, order.record, detail)
        return self._call("set_campaign", *name, revision, record, *told, int(timed))

    def free_capped(self, cursor: str, piece: int, campaign: str = "") -> Call:
        """Has documents that wait because of a cap asked about anew, a bounded piece a call.

        ``campaign``: `CampaignName.key` of those; "" for all.
        """
        return self._call("free_capped", cursor, piece, WAKE_UPS_AT_MOST, campaign)

    def note(self, order: SteeringOrder, detail: str) -> Call:
        """Writes into the journal what an operator set for a campaign."""
        return self._call("note_set", order.by, order.record, detail)

    def record_held(self, number: int, documents: int) -> Call:
        """Writes into the journal how many documents a pause or its end concerned."""
        return self._call("record_held", number, documents)

    def resume(
        self, order: SteeringOrder, number: int, gates: Sequence[GateView], lanes: int = 500
    ) -> Call:
        """Ends pauses and opens parked gates; ``lanes`` are free at once, the others bit by bit."""
        names: list[Argument] = []
        for gate in gates:
            names += ["pauses" if gate.kind == "paused" else "gates", gate.name]
        return self._call("resume", lanes, WAKE_UPS_AT_MOST, number, order.by, order.record, *names)

    def cancel(
        self,
        order: SteeringOrder,
        account: str,
        cursor: str,
        began_ms: str,
        number: int,
        piece: int,
    ) -> Call:
        """Takes back waiting documents of an account that a selector means, a piece a call."""
        return self._call(
            "cancel", account, cursor, piece, began_ms, number, order.by, order.record
        )

    def cancel_one(self, order: SteeringOrder, digest: bytes, number: int) -> Call:
        """Takes back one waiting document."""
        return self._call("cancel_one", digest, number, order.by, order.record)

    def allow_again(self, digests: Sequence[bytes]) -> Call:
        """Lets documents that an operator cancelled be accepted anew."""
        return self._call("allow_again", b"".join(digests))

    def replay(
        self, order: SteeringOrder, cursor: str, began_ms: str, number: int, piece: int
    ) -> Call:
        """Lets dead documents of a selector wait again, a piece a call."""
        return self._call(
            "replay",
            cursor,
            piece,
            began_ms,
            number,
            order.by,
            order.record,
            WAKE_UPS_AT_MOST,
        )

    def replay_one(self, order: SteeringOrder, digest: bytes, number: int) -> Call:
        """Lets one dead document wait again."""
        return self._call("replay_one", digest, number, order.by, order.record, WAKE_UPS_AT_MOST)

    def drop(
        self, order: SteeringOrder, cursor: str, began_ms: str, number: int, piece: int
    ) -> Call:
        """Gives up dead documents of a selector for good, a piece a call."""
        return self._call("drop", cursor, piece, began_ms, number, order.by, order.record)

    def drop_one(self, order: SteeringOrder, digest: bytes, number: int) -> Call:
        """Gives up one dead document for good."""
        return self._call("drop_one", digest, number, order.by, order.record)

    def replay_messages(self, by: str, after: str, last: str, number: int, piece: int) -> Call:
        """Hands unreadable messages to the workers again, a piece a call."""
        keys = [self._keys.prefix, self._keys.requests, self._keys.dead_requests]
        return scripts.load("steering/replay_messages").call(keys, [after, last, piece, number, by])

    def drop_messages(self, by: str, after: str, last: str, number: int, piece: int) -> Call:
        """Gives up unreadable messages, a piece a call."""
        keys = [self._keys.prefix, self._keys.dead_requests]
        return scripts.load("steering/drop_messages").call(keys, [after, last, piece, number, by])

    def confirm(
        self,
        order: SteeringOrder,
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
        return self._call("confirm", *which, number, order.by, order.record, run_id)

    def confirm_one(
        self, order: SteeringOrder, digest: bytes, number: int, *, run_id: str, task_id: str
    ) -> Call:
        """Counts one document in doubt as created."""
        said = (run_id, task_id)
        return self._call("confirm_one", digest, number, order.by, order.record, *said)

    def resend_unproven(
        self,
        order: SteeringOrder,
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
        by = (number, order.by, order.record)
        return self._call("resend_unproven", *which, *by, WAKE_UPS_AT_MOST)

    def resend_one(self, order: SteeringOrder, digest: bytes, number: int) -> Call:
        """Lets one document in doubt wait again."""
        return self._call("resend_one", digest, number, order.by, order.record, WAKE_UPS_AT_MOST)
