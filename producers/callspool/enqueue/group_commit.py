"""Group commit: concurrent callers share round trips.

The first caller leads. It sends the messages of all callers that came meanwhile in one round trip,
gives each the outcome of its own message, and hands the lead to the next caller that waits. Among
threads nothing runs in the background, so nothing is left behind when the process ends. On an event
loop one task leads, and ends when no caller waits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from callspool.enqueue.storing import NotStored, Outcome, OutgoingMessage, compute_pauses

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

GROUP_MESSAGES: Final = 1000
GROUP_BYTES: Final = 1024 * 1024
COMPANY: Final = 5
GATHERING: Final = 0.0005
"""Seconds that a leader waits for more messages where the last group had `COMPANY` of them."""
LEADER_LATE: Final = 1.0
"""Seconds after its deadline when a leader counts as gone (interrupted at a bad moment)."""

NO_TURN: Final = NotStored(
    "Redis did not answer other callers of this process in time; see that it runs, enqueue again",
    again=True,
)

NO_ANSWER: Final = NotStored(
    "Redis did not answer in time; see that it runs and is not overloaded, then try again",
    again=True,
)


INTERRUPTED: Final = NotStored(
    "a signal handler enqueued while its own thread was enqueueing; let the handler note the"
    " request, and enqueue it afterwards",
    again=False,
)


class CommitTicket:
    """A thread's message and its outcome so far; ``next`` is the ticket that it has to wake."""

    __slots__ = ("deadline", "failure", "left", "message", "next", "outcome", "wake")

    def __init__(self, message: OutgoingMessage, deadline: float) -> None:
        self.message = message
        self.deadline = deadline
        self.outcome: Outcome | None = None
        self.failure: NotStored = NO_TURN
        self.next: CommitTicket | None = None
        self.left = False
        self.wake: threading.Lock | None = None

    def settle(self, outcome: Outcome) -> bool:
        """Takes an outcome; returns False when another try may do better."""
        if isinstance(outcome, NotStored) and outcome.again:
            self.failure = outcome
            return False
        self.outcome = outcome
        return True

    def will_wait(self) -> None:
        """Prepares to be roused by another thread; called with the group's lock held."""
        self.wake = threading.Lock()
        self.wake.acquire()

    def wait(self) -> None:
        """Waits until it is roused, or its time is over."""
        if self.wake is not None:
            self.wake.acquire(timeout=max(self.deadline - time.monotonic(), 0.0))

    def rouse(self) -> None:
        """Ends the wait, once; called with the group's lock held."""
        if self.wake is not None and self.wake.locked():
            self.wake.release()


class GroupCommit:
    """Shares round trips among threads.

    ``store`` makes one round trip by a deadline (of `time.monotonic`) and returns an outcome for
    each message. A process made by fork needs a `GroupCommit` of its own.
    """

    def __init__(self, store: Callable[[Sequence[OutgoingMessage], float], list[Outcome]]) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: deque[CommitTicket] = deque()
        self._leader: CommitTicket | None = None
        self._last_size = 0
        self._inside: set[int] = set()

    def submit(self, message: OutgoingMessage, deadline: float) -> Outcome:
        """Stores a message along with those of other threads; returns its outcome in time.

        A signal handler that interrupted this very thread in here would wait for itself.
        """
        thread = threading.get_ident()
        if thread in self._inside:
            return INTERRUPTED
        self._inside.add(thread)
        try:
            return self._submit(message, deadline)
        finally:
            self._inside.discard(thread)

    def _submit(self, message: OutgoingMessage, deadline: float) -> Outcome:
        ticket = CommitTicket(message, deadline)
        try:
            self._join(ticket)
            ticket.wait()
            if self._leader is ticket and time.monotonic() < deadline:
                self._lead(ticket)
        finally:
            self._leave(ticket)
        return ticket.outcome or ticket.failure

    def _join(self, ticket: CommitTicket) -> None:
        with self._lock:
            self._waiting.append(ticket)
            leader = self._leader
            if leader is None or leader.deadline + LEADER_LATE < time.monotonic():
                self._leader = ticket
            else:
                ticket.will_wait()

    def _lead(self, own: CommitTicket) -> None:
        if self._last_size >= COMPANY:
            time.sleep(GATHERING)
        for pause in compute_pauses():
            group = self._take()
            self._last_size = len(group)
            try:
                outcomes = self._store([each.message for each in group], own.deadline)
                settled = [
                    ticket
                    for ticket, outcome in zip(group, outcomes, strict=True)
                    if ticket.settle(outcome) and ticket is not own
                ]
            finally:
                self._put_back([each for each in group if each.outcome is None])
            if settled:
                self._wake(settled)
            if own.outcome is not None or time.monotonic() + pause >= own.deadline:
                return
            time.sleep(pause)

    def _take(self) -> list[CommitTicket]:
        group: list[CommitTicket] = []
        size = 0
        with self._lock:
            while self._waiting and len(group) < GROUP_MESSAGES and size < GROUP_BYTES:
                ticket = self._waiting.popleft()
                size += ticket.message.size
                group.append(ticket)
        return group

    def _put_back(self, tickets: Sequence[CommitTicket]) -> None:
        if tickets:
            with self._lock:
                self._waiting.extendleft(each for each in reversed(tickets) if not each.left)

    def _wake(self, settled: Sequence[CommitTicket]) -> None:
        """Wakes the first, which wakes the next: threads woken at once crowd the interpreter."""
        with self._lock:
            there = [each for each in settled if not each.left]
            for ticket, following in pairwise(there):
                ticket.next = following
            if there:
                there[0].rouse()

    def _leave(self, ticket: CommitTicket) -> None:
        """Ends a caller's part, however it ended; the lead goes to the next in line."""
        with self._lock:
            ticket.left = True
            if ticket.next is not None:
                ticket.next.rouse()
            if ticket.outcome is None and ticket in self._waiting:
                self._waiting.remove(ticket)
            if self._leader is ticket:
                self._leader = self._waiting[0] if self._waiting else None
                if self._leader is not None:
                    self._leader.rouse()


class AsyncCommitTicket:
    """A task's message, and the future that its caller awaits."""

    __slots__ = ("deadline", "failure", "future", "message")

    def __init__(
        self, message: OutgoingMessage, deadline: float, future: asyncio.Future[Outcome]
    ) -> None:
        self.message = message
        self.deadline = deadline
        self.failure: NotStored = NO_TURN
        self.future = future

    def settle(self, outcome: Outcome) -> None:
        """Takes an outcome; one that another try may better is only remembered."""
        if isinstance(outcome, NotStored) and outcome.again:
            self.failure = outcome
        elif not self.future.done():
            self.future.set_result(outcome)

    def set_off(self) -> None:
        """Notes that it is on its way: no other message is in front of it any more."""
        if self.failure is NO_TURN:
            self.failure = NO_ANSWER

    def give_up(self) -> None:
        """Ends the wait with what is known."""
        if not self.future.done():
            self.future.set_result(self.failure)


class AsyncGroupCommit:
    """Shares round trips among the tasks of one event loop.

    ``store`` makes one round trip by a deadline (of the loop's clock) and returns an outcome for
    each message; one task awaits it, never two at once.
    """

    def __init__(
        self, store: Callable[[Sequence[OutgoingMessage], float], Awaitable[list[Outcome]]]
    ) -> None:
        self._store = store
        self._waiting: deque[AsyncCommitTicket] = deque()
        self._leading: asyncio.Task[None] | None = None
        self._unsettled: set[AsyncCommitTicket] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def submit(self, message: OutgoingMessage, deadline: float) -> Outcome:
        """Stores a message along with those of other tasks; returns its outcome by the deadline."""
        loop = asyncio.get_running_loop()
        ticket = AsyncCommitTicket(message, deadline, loop.create_future())
        self._waiting.append(ticket)
        if self._leading is None:
            leading = loop.create_task(self._lead())
            if not leading.done():  # as it may be where tasks begin at once
                self._leading = leading
        self._unsettled.add(ticket)
        if self._timer is None or deadline < self._timer.when():
            self._limit(deadline, loop)
        try:
            return await ticket.future
        finally:
            self._unsettled.discard(ticket)

    def _limit(self, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        """Sets the timer, one for all: most calls end long before it would have to be cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(deadline, self._give_up, loop)

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends the waits whose time is over, and looks again when that of others may be."""
        self._timer = None
        now = loop.time()
        for ticket in self._unsettled:
            if ticket.deadline <= now:
                ticket.give_up()
        left = [each.deadline for each in self._unsettled if each.deadline > now]
        if left:
            self._limit(min(left), loop)

    async def _lead(self) -> None:
        group: list[AsyncCommitTicket] = []
        waits = compute_pauses()
        try:
            while group := self._take():
                for ticket in group:
                    ticket.set_off()
                deadline = max(each.deadline for each in group)
                outcomes = await self._store([each.message for each in group], deadline)
                for ticket, outcome in zip(group, outcomes, strict=True):
                    ticket.settle(outcome)
                again = [each for each in group if not each.future.done()]
                self._waiting.extendleft(reversed(again))
                if again:
                    await asyncio.sleep(next(waits))
                else:
                    waits = compute_pauses()
        finally:
            self._leading = None
            for ticket in (*group, *self._waiting):
                ticket.give_up()  # has an effect only where this task was cancelled
            self._waiting.clear()

    def _take(self) -> list[AsyncCommitTicket]:
        group: list[AsyncCommitTicket] = []
        size = 0
        while self._waiting and len(group) < GROUP_MESSAGES and size < GROUP_BYTES:
            ticket = self._waiting.popleft()
            if not ticket.future.done():
                size += ticket.message.size
                group.append(ticket)
        return group
