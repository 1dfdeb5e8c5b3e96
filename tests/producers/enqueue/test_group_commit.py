"""Who leads, who follows, and what each caller hears, with a store that the test controls."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from callspool.enqueue.group_commit import (
    NO_ANSWER,
    NO_TURN,
    AsyncGroupCommit,
    CommitTicket,
    GroupCommit,
)
from callspool.enqueue.storing import NoRoom, NotStored, Outcome, OutgoingMessage, Stored
from callspool.request.message import Message

LATER = NotStored("away for a moment", again=True)
NEVER = NotStored("wrong password", again=False)


def outgoing(name: str) -> OutgoingMessage:
    return OutgoingMessage(Message(name.encode(), 1))


def names(messages: Sequence[OutgoingMessage]) -> list[str]:
    return [each.message.requests.decode() for each in messages]


class Store:
    """Answers round trips as told; the first one waits until the test lets it go on."""

    def __init__(self, answer: Callable[[str], Outcome] | None = None) -> None:
        self.trips: list[list[str]] = []
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.answer = answer or (lambda name: Stored(name.encode()))

    def __call__(self, messages: Sequence[OutgoingMessage], deadline: float) -> list[Outcome]:
        self.trips.append(names(messages))
        if len(self.trips) == 1:
            self.began.set()
            self.go_on.wait(5)
        return [self.answer(name) for name in names(messages)]


class Callers:
    """Threads that submit, and what each one got."""

    def __init__(self, group: GroupCommit) -> None:
        self.group = group
        self.got: dict[str, Outcome] = {}
        self.threads: list[threading.Thread] = []

    def start(self, name: str, timeout: float = 5.0) -> None:
        def call() -> None:
            deadline = time.monotonic() + timeout
            self.got[name] = self.group.submit(outgoing(name), deadline)

        waiting = len(self.group._waiting)
        thread = threading.Thread(target=call)
        thread.start()
        self.threads.append(thread)
        while len(self.threads) > 1 and len(self.group._waiting) == waiting:
            time.sleep(0.001)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


def led(store: Store) -> tuple[GroupCommit, Callers]:
    """A group whose first caller, a, is on its round trip."""
    group = GroupCommit(store)
    callers = Callers(group)
    callers.start("a")
    assert store.began.wait(5)
    return group, callers


def is_idle(group: GroupCommit) -> bool:
    return group._leader is None and not group._waiting


def test_those_who_come_during_a_round_trip_share_the_next_one() -> None:
    store = Store()
    group, callers = led(store)
    for name in "bcd":
        callers.start(name)
    store.go_on.set()
    callers.join()
    assert store.trips == [["a"], ["b", "c", "d"]]
    assert callers.got == {name: Stored(name.encode()) for name in "abcd"}
    assert is_idle(group)


def test_each_caller_hears_what_became_of_its_own_message() -> None:
    answers: dict[str, Outcome] = {"b": NoRoom("full"), "c": NEVER}
    store = Store(lambda name: answers.get(name, Stored(b"1-0")))
    group, callers = led(store)
    for name in "bcd":
        callers.start(name)
    store.go_on.set()
    callers.join()
    assert callers.got == {
        "a": Stored(b"1-0"),
        "b": NoRoom("full"),
        "c": NEVER,
        "d": Stored(b"1-0"),
    }
    assert is_idle(group)


def test_what_failed_for_the_moment_is_tried_again_in_its_place() -> None:
    tries: list[str] = []

    def answer(name: str) -> Outcome:
        tries.append(name)
        return LATER if tries.count(name) < 3 else Stored(b"1-0")

    store = Store(answer)
    group, callers = led(store)
    for name in "bc":
        callers.start(name)
    store.go_on.set()
    callers.join()
    assert store.trips[:2] == [["a"], ["a", "b", "c"]]
    assert set(callers.got.values()) == {Stored(b"1-0")}
    assert is_idle(group)


def test_a_leader_whose_time_is_over_hands_on_to_those_who_have_more() -> None:
    store = Store(lambda name: LATER if name == "a" else Stored(b"1-0"))
    store.go_on.set()
    group = GroupCommit(store)
    callers = Callers(group)
    started = time.monotonic()
    callers.start("a", timeout=0.3)
    time.sleep(0.05)
    callers.threads.append(
        threading.Thread(
            target=lambda: callers.got.update(b=group.submit(outgoing("b"), started + 5))
        )
    )
    callers.threads[-1].start()
    callers.join()
    assert callers.got == {"a": LATER, "b": Stored(b"1-0")}
    assert time.monotonic() - started < 1
    assert is_idle(group)


def test_a_follower_waits_no_longer_than_its_own_deadline() -> None:
    store = Store()
    group, callers = led(store)
    started = time.monotonic()
    assert group.submit(outgoing("b"), started + 0.1) == NO_TURN
    assert 0.09 < time.monotonic() - started < 2
    store.go_on.set()
    callers.join()
    assert store.trips == [["a"]]
    assert is_idle(group)


def test_a_leader_that_is_interrupted_leaves_the_others_a_leader() -> None:
    def answer(name: str) -> Outcome:
        if name == "a":
            raise KeyboardInterrupt
        return Stored(b"1-0")

    store = Store(answer)
    group = GroupCommit(store)
    caught = []

    def interrupted() -> None:
        try:
            group.submit(outgoing("a"), time.monotonic() + 5)
        except KeyboardInterrupt as error:
            caught.append(error)

    first = threading.Thread(target=interrupted)
    first.start()
    assert store.began.wait(5)
    callers = Callers(group)
    callers.threads.append(first)
    callers.start("b")
    store.go_on.set()
    callers.join()
    assert len(caught) == 1
    assert callers.got == {"b": Stored(b"1-0")}
    assert is_idle(group)


def test_a_leader_that_has_vanished_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callspool.enqueue.group_commit.LEADER_LATE", 0.0)
    store = Store()
    group, callers = led(store)
    assert group._leader is not None
    group._leader.deadline = time.monotonic() - 1
    assert group.submit(outgoing("b"), time.monotonic() + 5) == Stored(b"b")
    store.go_on.set()
    callers.join()
    assert callers.got == {"a": Stored(b"a")}
    assert is_idle(group)


def test_a_late_leader_may_take_along_the_one_that_replaced_it() -> None:
    store = Store()
    group, callers = led(store)
    late = group._leader
    assert late is not None
    ticket = CommitTicket(outgoing("b"), time.monotonic() + 5)
    group._join(ticket)
    group._leader = ticket
    ticket.rouse()  # b may lead now, and before it wakes up another leader settles it
    ticket.settle(Stored(b"b"))
    group._waiting.clear()
    group._wake([ticket])
    group._leave(ticket)
    store.go_on.set()
    callers.join()
    assert callers.got == {"a": Stored(b"a")}
    assert is_idle(group)


def test_a_leader_gathers_company_where_the_last_one_had_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("callspool.enqueue.group_commit.GATHERING", 1.0)
    store = Store()
    store.go_on.set()
    group = GroupCommit(store)
    group._last_size = 5
    callers = Callers(group)
    callers.start("a")
    time.sleep(0.02)
    callers.start("b")
    callers.join()
    assert store.trips == [["a", "b"]]
    started = time.monotonic()
    group.submit(outgoing("c"), started + 5)
    assert time.monotonic() - started < 0.8


def test_a_group_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callspool.enqueue.group_commit.GROUP_MESSAGES", 2)
    store = Store()
    _, callers = led(store)
    for name in "bcdef":
        callers.start(name)
    store.go_on.set()
    callers.join()
    assert store.trips == [["a"], ["b", "c"], ["d", "e"], ["f"]]


def test_many_threads_with_short_deadlines_never_get_stuck() -> None:
    def answer(name: str) -> Outcome:
        return LATER if int(name) % 7 == 0 else Stored(name.encode())

    def store(messages: Sequence[OutgoingMessage], deadline: float) -> list[Outcome]:
        time.sleep(0.002)
        return [answer(name) for name in names(messages)]

    group = GroupCommit(store)
    wrong: list[tuple[int, Outcome]] = []

    def call(worker: int) -> None:
        for number in range(30):
            name = worker * 30 + number
            got = group.submit(outgoing(str(name)), time.monotonic() + 0.001 * (name % 20))
            allowed = {answer(str(name)), NO_TURN}
            if got not in allowed:
                wrong.append((name, got))

    threads = [threading.Thread(target=call, args=(worker,)) for worker in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not wrong
    assert is_idle(group)


class AsyncStore:
    """As `Store`, for an event loop."""

    def __init__(self, answer: Callable[[str], Outcome] | None = None) -> None:
        self.trips: list[list[str]] = []
        self.go_on = asyncio.Event()
        self.answer = answer or (lambda name: Stored(name.encode()))

    async def __call__(self, messages: Sequence[OutgoingMessage], deadline: float) -> list[Outcome]:
        self.trips.append(names(messages))
        if len(self.trips) == 1:
            await self.go_on.wait()
        return [self.answer(name) for name in names(messages)]


def test_tasks_that_come_during_a_round_trip_share_the_next_one() -> None:
    async def scenario() -> None:
        store = AsyncStore()
        group = AsyncGroupCommit(store)
        deadline = asyncio.get_running_loop().time() + 5
        first = asyncio.create_task(group.submit(outgoing("a"), deadline))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(group.submit(outgoing(name), deadline)) for name in "bcd"]
        await asyncio.sleep(0.01)
        store.go_on.set()
        got = await asyncio.gather(first, *others)
        assert store.trips == [["a"], ["b", "c", "d"]]
        assert got == [Stored(name.encode()) for name in "abcd"]
        await asyncio.sleep(0)
        assert group._leading is None
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


def test_tasks_that_start_together_share_their_first_round_trip() -> None:
    async def scenario() -> None:
        store = AsyncStore()
        store.go_on.set()
        group = AsyncGroupCommit(store)
        deadline = asyncio.get_running_loop().time() + 5
        await asyncio.gather(*(group.submit(outgoing(name), deadline) for name in "abc"))
        assert store.trips == [["a", "b", "c"]]

    asyncio.run(scenario())


def test_a_loop_whose_tasks_begin_at_once_is_led_again_after_an_answer_without_a_wait() -> None:
    class Done(asyncio.Future[None]):
        """In the place of a task, which Python 3.13 names behind the factory."""

        def set_name(self, name: object) -> None:
            pass

    def begun(
        loop: asyncio.AbstractEventLoop, steps: Coroutine[Any, Any, Any], **_: object
    ) -> asyncio.Future[None]:
        """What `asyncio.eager_task_factory` makes of steps that wait for nothing."""
        assert [*steps.__await__()] == []
        done = Done(loop=loop)
        done.set_result(None)
        return done

    async def store(messages: Sequence[OutgoingMessage], deadline: float) -> list[Outcome]:
        return [NoRoom("full") for _ in messages]

    async def scenario() -> None:
        group = AsyncGroupCommit(store)
        loop = asyncio.get_running_loop()
        loop.set_task_factory(begun)  # type: ignore[arg-type]
        for name in "ab":
            assert await group.submit(outgoing(name), loop.time() + 0.2) == NoRoom("full")
        loop.set_task_factory(None)

    asyncio.run(scenario())


def test_a_task_waits_no_longer_than_its_own_deadline_or_than_it_likes() -> None:
    async def scenario() -> None:
        store = AsyncStore()
        group = AsyncGroupCommit(store)
        loop = asyncio.get_running_loop()
        first = asyncio.create_task(group.submit(outgoing("a"), loop.time() + 5))
        await asyncio.sleep(0.01)
        cancelled = asyncio.create_task(group.submit(outgoing("b"), loop.time() + 5))
        assert await group.submit(outgoing("c"), loop.time() + 0.05) == NO_TURN
        cancelled.cancel()
        await asyncio.sleep(0)
        store.go_on.set()
        assert await first == Stored(b"a")
        assert store.trips == [["a"]]

    asyncio.run(scenario())


def test_a_task_that_is_alone_is_not_told_of_others_when_its_time_is_over() -> None:
    async def scenario() -> None:
        group = AsyncGroupCommit(AsyncStore())
        loop = asyncio.get_running_loop()
        assert await group.submit(outgoing("a"), loop.time() + 0.02) == NO_ANSWER

    asyncio.run(scenario())


def test_a_task_hears_the_last_failure_when_its_time_is_over() -> None:
    async def scenario() -> None:
        store = AsyncStore(lambda name: LATER if name == "a" else Stored(b"1-0"))
        store.go_on.set()
        group = AsyncGroupCommit(store)
        loop = asyncio.get_running_loop()
        first = asyncio.create_task(group.submit(outgoing("a"), loop.time() + 0.2))
        await asyncio.sleep(0.05)
        assert await group.submit(outgoing("b"), loop.time() + 5) == Stored(b"1-0")
        assert await first == LATER

    asyncio.run(scenario())


def test_nobody_waits_for_a_round_trip_that_was_cancelled() -> None:
    async def scenario() -> None:
        group = AsyncGroupCommit(AsyncStore())
        deadline = asyncio.get_running_loop().time() + 5
        callers = [asyncio.create_task(group.submit(outgoing(name), deadline)) for name in "ab"]
        await asyncio.sleep(0.01)
        callers.append(asyncio.create_task(group.submit(outgoing("c"), deadline)))
        await asyncio.sleep(0.01)
        assert group._leading is not None
        group._leading.cancel()
        assert await asyncio.gather(*callers) == [NO_ANSWER, NO_ANSWER, NO_TURN]

    asyncio.run(scenario())
