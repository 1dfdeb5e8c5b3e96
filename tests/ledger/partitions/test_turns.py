"""The threads that partitions share: each in its turn, and none held up by a node that is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from callspool_ledger.writes import LedgerUnavailable
from callspool_worker.sending.partition_scheduler import (
    BATCHES_A_TURN,
    PartitionScheduler,
    YieldingRetry,
)

PATIENCE = 10.0
RESERVED = ("default",)


class Permits:
    """Any number of permits, and what was heard of them."""

    def __init__(self) -> None:
        self.hopeless = 0

    def reserve(self) -> tuple[str, ...]:
        return RESERVED

    def keep(self, reserved: tuple[str, ...], used: str | None, *, looked: bool = True) -> None:
        self.hopeless += looked and used is None

    def began(self, name: str) -> tuple[float, int]:
        raise AssertionError(name)

    gave_back = began


class Senders:
    """Threads that send, as far as one of them may step aside."""

    def __init__(self) -> None:
        self.stepped_aside = 0
        self.woken = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        self.stepped_aside += 1
        yield

    def wake(self) -> None:
        self.woken += 1


class Stage:
    """Three partitions with so many batches each, and who sends them."""

    def __init__(self, *batches: int) -> None:
        self.permits = Permits()
        self.left = list(batches)
        self.sent: list[int] = []
        self.nudged: list[int] = []
        self.turns = PartitionScheduler(self.permits, self.nudged.append)
        for partition in range(len(batches)):
            self.turns.add(self._work_of(partition))
            self.turns.wake(partition)

    def _work_of(self, partition: int) -> Callable[[tuple[str, ...], Callable[[], bool]], None]:
        licence = self.turns.permits_of(partition)

        def work(reserved: tuple[str, ...], goes_on: Callable[[], bool]) -> None:
            while reserved:
                if not self.left[partition]:
                    licence.keep(reserved, None)
                    return
                self.left[partition] -= 1
                licence.keep(reserved, "default")
                self.sent.append(partition)
                reserved = licence.reserve() if goes_on() else ()

        return work


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_partition_with_much_to_send_lets_others_have_their_turn():
    stage = Stage(10 * BATCHES_A_TURN, 3, 3)
    stage.turns.work(RESERVED)
    assert stage.left == [0, 0, 0]
    assert stage.sent.index(1) == BATCHES_A_TURN
    assert stage.sent.index(2) == BATCHES_A_TURN + 3
    assert set(stage.nudged) == {0, 1, 2}


def test_nothing_in_one_partition_says_nothing_of_the_others():
    stage = Stage(0, 0, 5)
    stage.turns.work(RESERVED)
    assert stage.sent == [2] * 5
    assert stage.permits.hopeless == 1
    stage.turns.work(RESERVED)
    assert stage.permits.hopeless == 2


def test_who_waits_for_a_node_steps_aside_and_nobody_else_goes_there():
    stage, senders = Stage(5, 5), Senders()
    is_back = threading.Event()
    patient = YieldingRetry(threading.Event(), PATIENCE, 0, stage.turns, senders)

    def step() -> str:
        if not is_back.is_set():
            raise LedgerUnavailable("away")
        return "recorded"

    waiting = threading.Thread(target=patient.until_answered, args=(step,))
    waiting.start()
    wait_until(lambda: stage.turns.is_away(0))
    stage.turns.work(RESERVED)
    assert stage.sent == [1] * 5
    assert (senders.stepped_aside, senders.woken) == (1, 0)
    is_back.set()
    waiting.join(PATIENCE)
    assert senders.woken == 1
    assert not stage.turns.is_away(0)
    stage.turns.work(RESERVED)
    assert stage.sent == [1] * 5 + [0] * 5
