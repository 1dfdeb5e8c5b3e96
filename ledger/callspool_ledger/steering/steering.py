"""What operators do to lanes, to documents that wait or are in doubt, and to what is dead."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from callspool_ledger.errors import answering
from callspool_ledger.reads.dead import read_unreadable
from callspool_ledger.reads.doubts import read_doubtful_spaces
from callspool_ledger.reads.gates import merge_gates, read_gates
from callspool_ledger.reads.lanes import read_lane_scopes, read_lanes
from callspool_ledger.reads.summary import read_clock
from callspool_ledger.reads.views import GateView
from callspool_ledger.steering.calls import SteeringOrder
from callspool_ledger.steering.steps import (
    BATCHES,
    Steps,
    add_up,
    in_each_partition,
    join,
    number_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool.redis_io.scripts import Call
    from callspool_ledger.selectors import Selector
    from callspool_ledger.steering.steps import One


GATES = 500
MESSAGES = 10


class PauseResult(NamedTuple):
    """What is paused now, and whether it was before; ``documents`` wait behind it."""

    gate: GateView
    already: bool
    documents: int


class ResumeResult(NamedTuple):
    """What was opened, what still holds some of the documents, and how many waited.

    ``rests``: the accounts that the API had asked to rest, and that send again.
    """

    opened: list[GateView]
    still: list[GateView]
    documents: int
    rests: list[str]


def _merge_pauses(parts: list[PauseResult]) -> PauseResult:
    (gate,) = merge_gates([[part.gate] for part in parts])
    documents = sum(part.documents for part in parts)
    return PauseResult(gate, all(part.already for part in parts), documents)


def _merge_resumes(parts: list[ResumeResult]) -> ResumeResult:
    return ResumeResult(
        merge_gates([part.opened for part in parts]),
        merge_gates([part.still for part in parts]),
        sum(part.documents for part in parts),
        sorted({name for part in parts for name in part.rests}),
    )


def _add_pairs(parts: list[tuple[int, int]]) -> tuple[int, int]:
    return sum(one for one, _ in parts), sum(other for _, other in parts)


class Steering(Steps):
    """What one operator does to lanes, to what waits and to what is dead."""

    @in_each_partition(_merge_pauses)
    def pause(self, selector: Selector, note: str = "", until_ms: int = 0) -> PauseResult:
        """Stops sending what a selector means, now and later; what is being sent finishes.

        ``note``: why. ``until_ms``: when workers end the pause, by Redis' clock; 0 for never. Both
        also change a pause that is there already.
        """
        order = SteeringOrder(self._by, selector)
        new, number = self._run(self._calls.pause(order, note, until_ms))
        known = [gate for gate in self.reader.ask(read_gates()) if gate.name == selector.name]
        documents = self.waiting(selector)[0]
        if number:
            self._run_any(self._calls.record_held(number_of(number), documents))
        return PauseResult(known[0] if known else self._ended_pause(selector), not new, documents)

    def _ended_pause(self, selector: Selector) -> GateView:
        """A pause that somebody ended in the moment since it was made."""
        now = datetime.fromtimestamp(self.reader.ask(read_clock()) / 1000, UTC)
        return GateView(selector.name, selector, "paused", "", "", now, self._by)

    @in_each_partition(_merge_resumes)
    def resume(self, selector: Selector) -> ResumeResult:
        """Ends every pause, and opens every parked gate, of what a selector means."""
        gates = self.reader.ask(read_gates())
        lanes = {gate.selector.lane for gate in gates} | {selector.lane}
        scopes = self.reader.ask(read_lane_scopes(sorted(lane for lane in lanes if lane)))
        inside = [gate for gate in gates if selector.contains(gate.selector, scopes)]
        still = [
            gate for gate in gates if gate not in inside and selector.meets(gate.selector, scopes)
        ]
        opened: list[GateView] = []
        documents = self.waiting(selector)[0] if inside else 0
        number = 0
        for at in range(0, len(inside), GATES):
            piece = inside[at : at + GATES]
            order = SteeringOrder(self._by, selector)
            step = self._calls.resume(order, number, piece)
            number, *were_closed = map(number_of, self._run(step))
            opened += [gate for gate, was in zip(piece, were_closed, strict=True) if was]
        if number:
            self._run_any(self._calls.record_held(number, documents))
        return ResumeResult(opened, still, documents, self._end_rests_of(selector))

    @in_each_partition(add_up)
    def go_on_without_replicas(self) -> int:
        """Lets workers take from a primary that has lost its replicas; returns 0.

        People may be called twice if one of them was promoted.
        """
        with answering():
            self._ledger.run_commands([("HDEL", self._ledger.keys.meta, "replica_at")])
        return 0

    def _end_rests_of(self, selector: Selector) -> list[str]:
        """Ends the rests of accounts that a selector means as a whole; returns which rested."""
        if selector.space_token or selector.campaign is not None or selector.lane:
            return []
        return self._end_rests(selector.account)

    @in_each_partition(_add_pairs)
    def waiting(self, selector: Selector) -> tuple[int, int]:
        """How many documents of a selector wait, and how many others of its are not settled."""
        waiting = unsettled = 0
        for lane in self.reader.ask(read_lanes()):
            if selector.covers(lane.scope, lane.lane):
                waiting += lane.waiting
                unsettled += lane.unsettled
        return waiting, unsettled - waiting

    @in_each_partition(add_up)
    def cancel(self, selector: Selector) -> int:
        """Takes back what waits; returns how many documents.

        Batches move about meanwhile, so it looks again until it finds none.
        """
        order = SteeringOrder(self._by, selector)
        began_ms, number, done = "0", 0, 0
        for account in self._accounts(selector):
            found = -1
            while found != 0:
                found, cursor = 0, "0"
                while True:
                    step = self._calls.cancel(order, account, cursor, began_ms, number, BATCHES)
                    cursor, changed, began_ms, number = self._piece(step)
                    found += changed
                    done += changed
                    self._tell(done)
                    if cursor == "0":
                        break
        return done

    @in_each_partition(add_up)
    def replay(self, selector: Selector) -> int:
        """Lets dead documents wait again; returns how many."""
        return self._all_dead(self._calls.replay, selector)

    @in_each_partition(add_up)
    def drop(self, selector: Selector) -> int:
        """Gives up dead documents for good; returns how many."""
        return self._all_dead(self._calls.drop, selector)

    @in_each_partition(join)
    def cancel_one(self, document_id: str, selector: Selector) -> list[One]:
        """Takes back one document, in each scope of the selector that knows it."""
        return self._one(self._calls.cancel_one, document_id, selector)

    @in_each_partition(join)
    def replay_one(self, document_id: str, selector: Selector) -> list[One]:
        """Lets one dead document wait again, in each scope of the selector that knows it."""
        return self._one(self._calls.replay_one, document_id, selector)

    @in_each_partition(join)
    def drop_one(self, document_id: str, selector: Selector) -> list[One]:
        """Gives up one dead document, in each scope of the selector that knows it."""
        return self._one(self._calls.drop_one, document_id, selector)

    @in_each_partition(add_up)
    def replay_messages(self) -> int:
        """Hands the messages that no worker could read to the workers again; returns how many."""
        return self._all_messages(self._calls.replay_messages)

    @in_each_partition(add_up)
    def drop_messages(self) -> int:
        """Gives up the messages that no worker could read; returns how many."""
        return self._all_messages(self._calls.drop_messages)

    def _all_dead(self, verb: Callable[..., Call], selector: Selector) -> int:
        order, cursor, began_ms, number, done = SteeringOrder(self._by, selector), "0", "0", 0, 0
        while True:
            step = verb(order, cursor, began_ms, number, BATCHES)
            cursor, changed, began_ms, number = self._piece(step)
            done += changed
            self._tell(done)
            if cursor == "0":
                return done

    def _all_messages(self, verb: Callable[..., Call]) -> int:
        newest = self.reader.ask(read_unreadable(1))
        after, number, done = "0", 0, 0
        while newest and after:
            step = verb(self._by, after, newest[0].kept_as, number, MESSAGES)
            last, changed, entry = self._run(step)
            after, number = text_of(last), number_of(entry)
            done += number_of(changed)
        return done

    def _accounts(self, selector: Selector) -> list[str]:
        if selector.account is not None:
            return [selector.account]
        if selector.lane is not None:
            scopes = self.reader.ask(read_lane_scopes([selector.lane]))
            return [scope.account for scope in scopes.values()]
        with answering():
            return sorted(self._ledger.accounts())


class Doubts(Steps):
    """The decisions of one operator about documents in doubt.

    ``till_ms``, by Redis' clock: what came into doubt later is left alone; None for the moment of
    the call. ``only_held``: only what no look at the API can prove now.
    """

    @in_each_partition(add_up)
    def confirm(
        self,
        selector: Selector,
        run_id: str = "",
        *,
        only_held: bool = False,
        till_ms: int | None = None,
    ) -> int:
        """Counts documents as created, since the operator knows it; returns how many."""
        verb = partial(self._calls.confirm, run_id=run_id)
        return self._all(verb, selector, only_held, till_ms)

    @in_each_partition(add_up)
    def resend(
        self, selector: Selector, *, only_held: bool = False, till_ms: int | None = None
    ) -> int:
        """Lets documents wait again, although a person may be called twice; returns how many."""
        return self._all(self._calls.resend_unproven, selector, only_held, till_ms)

    @in_each_partition(join)
    def confirm_one(
        self, document_id: str, selector: Selector, run_id: str = "", task_id: str = ""
    ) -> list[One]:
        """Counts one document as created, in each scope of the selector that knows it."""
        verb = partial(self._calls.confirm_one, run_id=run_id, task_id=task_id)
        return self._one(verb, document_id, selector)

    @in_each_partition(join)
    def resend_one(self, document_id: str, selector: Selector) -> list[One]:
        """Lets one document wait again, in each scope of the selector that knows it."""
        return self._one(self._calls.resend_one, document_id, selector)

    def _all(
        self,
        verb: Callable[..., Call],
        selector: Selector,
        only_held: bool,
        till_ms: int | None,
    ) -> int:
        order, number, done = SteeringOrder(self._by, selector), 0, 0
        till = self.reader.ask(read_clock()) if till_ms is None else till_ms
        for space in self.reader.ask(read_doubtful_spaces(selector)):
            cursor = "0"
            while True:
                step = verb(
                    order,
                    space,
                    cursor,
                    till_ms=till,
                    only_held=only_held,
                    number=number,
                    piece=BATCHES,
                )
                following, changed, entry = self._run(step)
                cursor, number = text_of(following), number_of(entry)
                done += number_of(changed)
                self._tell(done)
                if cursor == "0":
                    break
        return done
