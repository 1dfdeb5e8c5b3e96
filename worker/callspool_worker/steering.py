"""What operators do to the ledger: each as many bounded steps as it takes."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from callspool.errors import QueueUnavailable
from callspool.identity import digester
from callspool.ledger.readings import Readings
from callspool.ledger.views import GateView
from callspool_worker.ledger import Ledger, LedgerUnavailable, Limits, operator_calls
from callspool_worker.ledger.operator_calls import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from callspool.identity import Scope
    from callspool.ledger.selector import Selector
    from callspool.scripts import Call

BATCHES = 50
"""What one call of a script changes at most, about: some milliseconds of Redis."""

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


class One(NamedTuple):
    """A document by its id in one scope: the letter it had, and whether it was changed."""

    scope: Scope
    letter: str
    done: bool


class Steering:
    """The steps of one operator. Raises `QueueUnavailable` when Redis does not answer.

    ``tell`` is called with how many documents are done, now and then.
    """

    def __init__(
        self, client: redis.Redis, by: str, tell: Callable[[int], None] = lambda _: None
    ) -> None:
        self._ledger = Ledger(client, Limits())
        self._by = by
        self._tell = tell
        self.readings = Readings(client)
        with _answering():
            self._ledger.open()

    def pause(self, selector: Selector) -> Paused:
        """Stops sending what a selector means, now and later; what is being sent finishes."""
        asked = Asked(self._by, selector)
        new, number = self._run(operator_calls.pause(self._ledger.partition, asked))
        known = [gate for gate in self.readings.gates() if gate.name == selector.name]
        documents = self.waiting(selector)[0]
        if new:
            self._run_any(operator_calls.held(self._ledger.partition, _int(number), documents))
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
            asked = Asked(self._by, selector)
            step = operator_calls.resume(self._ledger.partition, asked, number, piece)
            number, *were_closed = map(_int, self._run(step))
            opened += [gate for gate, was in zip(piece, were_closed, strict=True) if was]
        if number:
            self._run_any(operator_calls.held(self._ledger.partition, number, documents))
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
        asked = Asked(self._by, selector)
        began_ms, number, done = "0", 0, 0
        for account in self._accounts(selector):
            found = -1
            while found != 0:
                found, cursor = 0, "0"
                while True:
                    step = operator_calls.cancel(
                        self._ledger.partition, asked, account, cursor, began_ms, number, BATCHES
                    )
                    cursor, changed, began_ms, number = self._piece(step)
                    found += changed
                    done += changed
                    self._tell(done)
                    if cursor == "0":
                        break
        return done

    def replay(self, selector: Selector) -> int:
        """Lets dead documents wait again; tells how many."""
        return self._all_dead(operator_calls.replay, selector)

    def drop(self, selector: Selector) -> int:
        """Gives up dead documents for good; tells how many."""
        return self._all_dead(operator_calls.drop, selector)

    def cancel_one(self, document_id: str, selector: Selector) -> list[One]:
        """Takes back one document, in each scope of the selector that knows it."""
        return self._one(operator_calls.cancel_one, document_id, selector)

    def replay_one(self, document_id: str, selector: Selector) -> list[One]:
        """Lets one dead document wait again, in each scope of the selector that knows it."""
        return self._one(operator_calls.replay_one, document_id, selector)

    def drop_one(self, document_id: str, selector: Selector) -> list[One]:
        """Gives up one dead document, in each scope of the selector that knows it."""
        return self._one(operator_calls.drop_one, document_id, selector)

    def replay_messages(self) -> int:
        """Hands the messages that no worker could read to the workers again; tells how many."""
        return self._all_messages(operator_calls.replay_messages)

    def drop_messages(self) -> int:
        """Gives up the messages that no worker could read; tells how many."""
        return self._all_messages(operator_calls.drop_messages)

    def _all_dead(self, verb: Callable[..., Call], selector: Selector) -> int:
        asked, cursor, began_ms, number, done = Asked(self._by, selector), "0", "0", 0, 0
        while True:
            step = verb(self._ledger.partition, asked, cursor, began_ms, number, BATCHES)
            cursor, changed, began_ms, number = self._piece(step)
            done += changed
            self._tell(done)
            if cursor == "0":
                return done

    def _one(self, verb: Callable[..., Call], document_id: str, selector: Selector) -> list[One]:
        asked, number = Asked(self._by, selector, document_id), 0
        found: list[One] = []
        for scope in self.readings.scopes():
            if not selector.covers(scope, ""):
                continue
            digest = digester(scope)(document_id)
            letter, done, entry = self._run(verb(self._ledger.partition, asked, digest, number))
            number = _int(entry)
            if letter:
                found.append(One(scope, _text(letter), bool(done)))
        return found

    def _all_messages(self, verb: Callable[..., Call]) -> int:
        newest = self.readings.unreadable(1)
        after, number, done = "0", 0, 0
        while newest and after:
            step = verb(
                self._ledger.partition, self._by, after, newest[0].message, number, MESSAGES
            )
            last, changed, entry = self._run(step)
            after, number = _text(last), _int(entry)
            done += _int(changed)
        return done

    def _accounts(self, selector: Selector) -> list[str]:
        if selector.account is not None:
            return [selector.account]
        if selector.lane is not None:
            return [scope.account for scope in self.readings.scopes_of([selector.lane]).values()]
        with _answering():
            return sorted(self._ledger.accounts())

    def _piece(self, step: Call) -> tuple[str, int, str, int]:
        cursor, changed, began_ms, number = self._run(step)
        return _text(cursor), _int(changed), _text(began_ms), _int(number)

    def _run(self, step: Call) -> list[object]:
        reply = self._run_any(step)
        if not isinstance(reply, list):
            raise TypeError(f"{step.script.name} answered {type(reply).__name__}, not a list")
        return reply

    def _run_any(self, step: Call) -> object:
        with _answering():
            return self._ledger.run([step])[0]


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except LedgerUnavailable as fault:
        raise QueueUnavailable(
            f"{fault}; asking for the same again is safe and goes on with the rest"
        ) from fault


def _int(value: object) -> int:
    return int(value) if isinstance(value, int | bytes) else 0


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
