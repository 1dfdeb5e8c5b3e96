"""What operators decide about documents in doubt that no look can prove."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from callspool_ledger.reads.doubts import read_doubtful_spaces
from callspool_ledger.reads.progress import read_clock
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
