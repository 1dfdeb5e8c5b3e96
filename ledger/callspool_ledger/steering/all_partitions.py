"""What operators do to a ledger of several partitions: the same in each that is meant.

Where one does not answer, it is done in the others, and the error says so: doing it again is safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from callspool.errors import QueueUnavailable
from callspool.request.identity import partition_of
from callspool_ledger.reads.all_partitions import readings_of
from callspool_ledger.reads.merging import one_list_of_gates
from callspool_ledger.selectors import Selector
from callspool_ledger.steering.doubts import Doubts
from callspool_ledger.steering.steering import Paused, Resumed, Steering
from callspool_ledger.steering.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis

    from callspool_ledger.steering.steps import One

Kind = TypeVar("Kind", bound=Steps)
Result = TypeVar("Result")


def steering_of(
    clients: Sequence[redis.Redis], by: str, tell: Callable[[int], None] = lambda _: None
) -> Steering:
    """The steering of a ledger with a client for each of its partitions."""
    if len(clients) == 1:
        return Steering(clients[0], by, tell)
    return SteeringOfAll(_Parts(Steering, clients, by, tell))


def doubts_of(
    clients: Sequence[redis.Redis], by: str, tell: Callable[[int], None] = lambda _: None
) -> Doubts:
    """The same for what is decided about documents in doubt."""
    if len(clients) == 1:
        return Doubts(clients[0], by, tell)
    return DoubtsOfAll(_Parts(Doubts, clients, by, tell))


class _Parts(Generic[Kind]):
    """The partitions, one after the other, and the sum of what they tell of their progress."""

    def __init__(
        self,
        kind: type[Kind],
        clients: Sequence[redis.Redis],
        by: str,
        tell: Callable[[int], None],
    ) -> None:
        self._tell = tell
        self._before = self._now = 0
        self.readings = readings_of(clients)
        self._parts = [
            kind(client, by, self._add, partition, len(clients))
            for partition, client in enumerate(clients)
        ]

    def each(self, selector: Selector, do: Callable[[Kind], Result]) -> list[Result]:
        """Does it in every partition that a selector may mean.

        Raises `QueueUnavailable` if one of them does not answer, when the others are done.
        """
        found: list[Result] = []
        failures: list[QueueUnavailable] = []
        meant = self._meant(selector)
        for part in meant:
            self._before, self._now = self._before + self._now, 0
            try:
                found.append(do(part))
            except QueueUnavailable as fault:
                failures.append(fault)
        if failures:
            raise QueueUnavailable(
                f"done in {len(found)} of {len(meant)} partitions only: {failures[0]}"
            ) from failures[0]
        return found

    def _meant(self, selector: Selector) -> list[Kind]:
        if selector.account is None or selector.space_token is None:
            return self._parts
        account, space_token = selector.account, selector.space_token
        return [self._parts[partition_of(account, space_token, len(self._parts))]]

    def _add(self, documents: int) -> None:
        self._now = documents
        self._tell(self._before + documents)


class SteeringOfAll(Steering):
    """As `Steering`, in all partitions."""

    def __init__(self, parts: _Parts[Steering]) -> None:
        self._parts = parts
        self.readings = parts.readings

    def pause(self, selector: Selector) -> Paused:
        done = self._parts.each(selector, lambda part: part.pause(selector))
        (gate,) = one_list_of_gates([[each.gate] for each in done])
        documents = sum(each.documents for each in done)
        return Paused(gate, all(each.already for each in done), documents)

    def resume(self, selector: Selector) -> Resumed:
        done = self._parts.each(selector, lambda part: part.resume(selector))
        return Resumed(
            one_list_of_gates([each.opened for each in done]),
            one_list_of_gates([each.still for each in done]),
            sum(each.documents for each in done),
        )

    def waiting(self, selector: Selector) -> tuple[int, int]:
        found = self._parts.each(selector, lambda part: part.waiting(selector))
        return sum(waiting for waiting, _ in found), sum(others for _, others in found)

    def cancel(self, selector: Selector) -> int:
        return sum(self._parts.each(selector, lambda part: part.cancel(selector)))

    def replay(self, selector: Selector) -> int:
        return sum(self._parts.each(selector, lambda part: part.replay(selector)))

    def drop(self, selector: Selector) -> int:
        return sum(self._parts.each(selector, lambda part: part.drop(selector)))

    def cancel_one(self, document_id: str, selector: Selector) -> list[One]:
        return _all(self._parts.each(selector, lambda one: one.cancel_one(document_id, selector)))

    def replay_one(self, document_id: str, selector: Selector) -> list[One]:
        return _all(self._parts.each(selector, lambda one: one.replay_one(document_id, selector)))

    def drop_one(self, document_id: str, selector: Selector) -> list[One]:
        return _all(self._parts.each(selector, lambda one: one.drop_one(document_id, selector)))

    def replay_messages(self) -> int:
        return sum(self._parts.each(Selector(), lambda part: part.replay_messages()))

    def drop_messages(self) -> int:
        return sum(self._parts.each(Selector(), lambda part: part.drop_messages()))


class DoubtsOfAll(Doubts):
    """As `Doubts`, in all partitions."""

    def __init__(self, parts: _Parts[Doubts]) -> None:
        self._parts = parts
        self.readings = parts.readings

    def confirm(
        self,
        selector: Selector,
        run_id: str = "",
        *,
        only_held: bool = False,
        till_ms: int | None = None,
    ) -> int:
        def do(part: Doubts) -> int:
            return part.confirm(selector, run_id, only_held=only_held, till_ms=till_ms)

        return sum(self._parts.each(selector, do))

    def resend(
        self, selector: Selector, *, only_held: bool = False, till_ms: int | None = None
    ) -> int:
        def do(part: Doubts) -> int:
            return part.resend(selector, only_held=only_held, till_ms=till_ms)

        return sum(self._parts.each(selector, do))

    def confirm_one(
        self, document_id: str, selector: Selector, run_id: str = "", task_id: str = ""
    ) -> list[One]:
        def do(part: Doubts) -> list[One]:
            return part.confirm_one(document_id, selector, run_id, task_id)

        return _all(self._parts.each(selector, do))

    def resend_one(self, document_id: str, selector: Selector) -> list[One]:
        return _all(self._parts.each(selector, lambda part: part.resend_one(document_id, selector)))


def _all(found: Sequence[list[One]]) -> list[One]:
    return sorted((one for some in found for one in some), key=lambda one: one.scope)
