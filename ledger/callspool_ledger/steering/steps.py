"""What every command shares by which operators steer: running scripts piece by piece."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from callspool.errors import QueueUnavailable
from callspool.request.identity import digester
from callspool_ledger.reads.reader import Readings
from callspool_ledger.steering.calls import SteeringCalls, SteeringOrder
from callspool_ledger.writes import Ledger, LedgerUnavailable, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from callspool.redis_io.scripts import Call
    from callspool.request.identity import Scope
    from callspool_ledger.selectors import Selector

BATCHES = 50
"""What one call of a script changes at most, about: some milliseconds of Redis."""


class One(NamedTuple):
    """A document by its id in one scope: the letter it had, and whether it was changed."""

    scope: Scope
    letter: str
    done: bool


class Steps:
    """The steps of one operator. Raises `QueueUnavailable` when Redis does not answer.

    ``tell`` is called with how many documents are done, now and then.
    """

    def __init__(
        self,
        client: redis.Redis,
        by: str,
        tell: Callable[[int], None] = lambda _: None,
        partition: int = 0,
        partitions: int = 1,
    ) -> None:
        self._ledger = Ledger(client, Limits(), partition, partitions)
        self._calls = SteeringCalls(self._ledger.keys)
        self._by = by
        self._tell = tell
        self.readings = Readings(client, partition)
        if partition == 0:  # which knows how many there are; another one may be away
            with answering():
                self._ledger.open()

    def _one(self, verb: Callable[..., Call], document_id: str, selector: Selector) -> list[One]:
        order, number = SteeringOrder(self._by, selector, document_id), 0
        found: list[One] = []
        for scope in self.readings.scopes():
            if not selector.covers(scope, ""):
                continue
            digest = digester(scope)(document_id)
            letter, done, entry = self._run(verb(order, digest, number))
            number = number_of(entry)
            if letter:
                found.append(One(scope, text_of(letter), bool(done)))
        return found

    def _piece(self, step: Call) -> tuple[str, int, str, int]:
        cursor, changed, began_ms, number = self._run(step)
        return text_of(cursor), number_of(changed), text_of(began_ms), number_of(number)

    def _run(self, step: Call) -> list[object]:
        reply = self._run_any(step)
        if not isinstance(reply, list):
            raise TypeError(f"{step.script.name} answered {type(reply).__name__}, not a list")
        return reply

    def _run_any(self, step: Call) -> object:
        with answering():
            return self._ledger.run([step])[0]


@contextmanager
def answering() -> Iterator[None]:
    """Says what an operator needs to know when Redis does not answer."""
    try:
        yield
    except LedgerUnavailable as fault:
        raise QueueUnavailable(
            f"{fault}; asking for the same again is safe and goes on with the rest"
        ) from fault


def number_of(value: object) -> int:
    """The number that a script answered."""
    return int(value) if isinstance(value, int | bytes) else 0


def text_of(value: object) -> str:
    """The text that a script answered."""
    return value.decode() if isinstance(value, bytes) else str(value)
