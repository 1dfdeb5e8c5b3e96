"""What operators do to lanes, to documents that wait, and to what is dead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from callspool_ledger.reads.views import GateView
from callspool_ledger.steering.calls import SteeringOrder
from callspool_ledger.steering.steps import BATCHES, Steps, answering, number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool.redis_io.scripts import Call
    from callspool_ledger.selectors import Selector
    from callspool_ledger.steering.steps import One

GATES = 500
MESSAGES = 10


class Paused(NamedTuple):
    """What is paused now, and whether it was before; ``documents`` wait behind it."""

    gate: GateView
    already: bool
    documents: int


class Resumed(NamedTuple):
    """What was opened, what still holds some of the documents, and how many waited."""

    opened: list[GateView]
    still: list[GateView]
    documents: int


class Steering(Steps):
    """What one operator does to lanes, to what waits and to what is dead."""

    def pause(self, selector: Selector) -> Paused:
        """Stops sending what a selector means, now and later; what is being sent finishes."""
        order = SteeringOrder(self._by, selector)
        new, number = self._run(self._calls.pause(order))
        known = [gate for gate in self.readings.gates() if gate.name == selector.name]
        documents = self.waiting(selector)[0]
        if new:
            self._run_any(self._calls.record_held(number_of(number), documents))
        return Paused(known[0] if known else self._ended(selector), not new, documents)

    def _ended(self, selector: Selector) -> GateView:
        """A pause that somebody ended in the moment since it was made."""
        now = datetime.fromtimestamp(self.readings.now_ms() / 1000, UTC)
        return GateView(selector.name, selector, "paused", "", "", now, self._by)

    def resume(self, selector: Selector) -> Resumed:
        """Ends every pause, and opens every parked gate, of what a selector means."""
        gates = self.readings.gates()
        lanes = {gate.selector.lane for gate in gates} | {selector.lane}
        scopes = self.readings.scopes_of(sorted(lane for lane in lanes if lane))
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
        return Resumed(opened, still, documents)

    def waiting(self, selector: Selector) -> tuple[int, int]:
        """How many documents of a selector wait, and how many others of its are not settled."""
        waiting = unsettled = 0
        for lane in self.readings.lanes():
            if selector.covers(lane.scope, lane.lane):
                waiting += lane.waiting
                unsettled += lane.unsettled
        return waiting, unsettled - waiting

    def cancel(self, selector: Selector) -> int:
        """Takes back what waits; tells how many documents.

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

    def replay(self, selector: Selector) -> int:
        """Lets dead documents wait again; tells how many."""
        return self._all_dead(self._calls.replay, selector)

    def drop(self, selector: Selector) -> int:
        """Gives up dead documents for good; tells how many."""
        return self._all_dead(self._calls.drop, selector)

    def cancel_one(self, document_id: str, selector: Selector) -> list[One]:
        """Takes back one document, in each scope of the selector that knows it."""
        return self._one(self._calls.cancel_one, document_id, selector)

    def replay_one(self, document_id: str, selector: Selector) -> list[One]:
        """Lets one dead document wait again, in each scope of the selector that knows it."""
        return self._one(self._calls.replay_one, document_id, selector)

    def drop_one(self, document_id: str, selector: Selector) -> list[One]:
        """Gives up one dead document, in each scope of the selector that knows it."""
        return self._one(self._calls.drop_one, document_id, selector)

    def replay_messages(self) -> int:
        """Hands the messages that no worker could read to the workers again; tells how many."""
        return self._all_messages(self._calls.replay_messages)

    def drop_messages(self) -> int:
        """Gives up the messages that no worker could read; tells how many."""
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
        newest = self.readings.unreadable(1)
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
            return [scope.account for scope in self.readings.scopes_of([selector.lane]).values()]
        with answering():
            return sorted(self._ledger.accounts())
