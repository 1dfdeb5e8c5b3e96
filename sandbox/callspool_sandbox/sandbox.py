"""The API itself: what all connections share, and which way a request goes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callspool_sandbox.creation import (
    Received,
    TaskCreation,
    check_create,
    check_organisation,
    check_sender,
    read_body,
)
from callspool_sandbox.dialler import Dialler
from callspool_sandbox.exchange import Clock, Head, HttpReply, ServerStates, logged_status, reply
from callspool_sandbox.fault_files import CallTraits, FaultFile
from callspool_sandbox.fault_plan import Chooser, Facts, FaultPlan, plan
from callspool_sandbox.protocol import Answer, Route, api_answer, find_route
from callspool_sandbox.reads import Reads
from callspool_sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from callspool_sandbox.log import EventLog


MAX_BODY = 1_048_576
"""Bytes of a request body that common proxies let through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that `callspool sandbox` can be told.

    ``latency`` is in seconds, ``log`` a path or "-" for stdout. ``token`` and ``org_handle`` are
    compared only where given. ``until_stdin_closes`` ends the sandbox with its parent.
    """

    host: str = "127.0.0.1"
    port: int = 8900
    latency: float = 0.0
    faults: FaultFile = field(default_factory=FaultFile)
    seed: int | None = None
    log: str | None = None
    token: str | None = field(default=None, repr=False)
    org_handle: str | None = None
    max_body: int = MAX_BODY
    until_stdin_closes: bool = False
    call_speed: float | None = None
    """Simulated seconds a second in which calls ring; None: as the fault file has it."""


async def _passing_over_a_lost_log(work: Coroutine[None, None, None]) -> None:
    with suppress(ConnectionAbortedError):
        await work


class Sandbox:
    """One API with its store, clocks, faults and log.

    ``creating``: held by the request that creates, where the API creates one after the other.
    ``last_answer``: what the last create-call was answered that created something.
    """

    def __init__(self, options: Options, log: EventLog) -> None:
        self.options = options
        self.log = log
        self.states = ServerStates(options.faults)
        self.clocks = [Clock(self.states, server) for server in range(self.states.servers)]
        self.store = Store(options.seed, len(self.clocks))
        self.creating = asyncio.Lock()
        self.last_answer: Answer | None = None
        self._chooser = Chooser(options.faults.faults, options.seed)
        self.dialler = self._build_dialler()
        self._reads = Reads(self.store, self.states, options.seed, self.dialler)
        self._later: set[asyncio.Task[None]] = set()
        self._requests = 0

    def _build_dialler(self) -> Dialler | None:
        """What lets calls ring, if they shall."""
        calls, speed = self.states.now.calls, self.options.call_speed
        if calls is None and speed is None:
            return None
        usual = calls or CallTraits()
        return Dialler(
            lambda: self.states.now.calls or usual,
            speed or usual.speed,
            self.options.seed,
            self.clocks[0].now,
        )

    def note_arrival(self, method: str, target: str, headers: dict[bytes, bytes]) -> Head:
        """Takes note of a request's head and chooses the fault that needs no body."""
        self._requests += 1
        route = find_route(target)
        clock = self.clocks[self._requests % len(self.clocks)]
        head = Head(self._requests, method, target, headers, route, clock)
        if route is not None:
            self._chooser.in_flight[route.endpoint] += 1
            facts = Facts(route.endpoint, route.space)
            head.early = self._chooser.before_body(facts, self.states.running())
            self._reads.know(route.space, clock)
        return head

    def note_end(self, head: Head) -> None:
        """Takes note that the request is no longer in flight."""
        if head.route is not None:
            self._chooser.in_flight[head.route.endpoint] -= 1

    async def reply(self, head: Head, raw: bytes) -> HttpReply:
        """Handles a whole request up to its answer."""
        route = head.route
        if route is None or route.method != head.method:
            answer = api_answer(404 if route is None else 405)
            self.write_line(head, answer.status)
            return HttpReply(answer, FaultPlan())
        if route.endpoint == "create":
            return await self._create(head, route, raw)
        return await self._read(head, route)

    def write_line(self, head: Head, status: int | None) -> None:
        """Writes the line of a request that was answered without being looked into."""
        self.log.write("request", head.for_log(None) | {"status": status})

    def go_on_later(self, work: Coroutine[None, None, None]) -> None:
        """Starts work that outlives its request."""
        task = asyncio.get_running_loop().create_task(_passing_over_a_lost_log(work))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def close(self) -> None:
        for task in self._later:
            task.cancel()
        self.store.close()

    async def _read(self, head: Head, route: Route) -> HttpReply:
        facts = Facts(route.endpoint, route.space)
        running = self.states.running()
        fault = self._chooser.after_body(facts, running)
        steps = plan(fault, 0, head.clock.now())
        answer = steps.own or self._refuse(head, route)
        if steps.rest_before_reading:
            await asyncio.sleep(steps.pause_at(running))
        if answer is None:
            rows, count = self._reads.page(route, head.clock)
            await asyncio.sleep(self.options.latency)
            answer = self._reads.answer(rows, count)
        self.log.write(
            "request", head.for_log(fault) | {"status": logged_status(answer.status, steps)}
        )
        if steps.pause and not steps.rest_before_reading:
            await asyncio.sleep(steps.pause_at(running))
        return reply(answer, steps)

    async def _create(self, head: Head, route: Route, raw: bytes) -> HttpReply:
        received = read_body(raw)
        facts = Facts(route.endpoint, route.space, received.body.pilot, received.ids, len(raw))
        running = self.states.running()
        fault = self._chooser.after_body(facts, running)
        steps = plan(fault, len(received.ids), head.clock.now())
        if not steps.unseen:
            refusal = self._refused_create(head, route, received)
            if refusal is not None:
                steps = steps.without_creating(refusal)
            elif self.options.latency:
                await asyncio.sleep(self.options.latency)
        if received.storable is not None:
            steps = steps.until(received.storable, api_answer(500))
        creation = TaskCreation(self, head, received, steps=steps, fault=fault, begun=running)
        return await creation.carry_out(route.space)

    def _refuse(self, head: Head, route: Route) -> Answer | None:
        refusal = check_sender(head.header(b"authorization"), self.options)
        if refusal is None and route.endpoint == "agents":
            refusal = check_organisation(head.header(b"org-handle"), self.options)
        return refusal

    def _refused_create(self, head: Head, route: Route, received: Received) -> Answer | None:
        refusal = self._refuse(head, route)
        if refusal is not None:
            return refusal
        if head.header(b"content-type").partition(";")[0].strip() != "application/json":
            return api_answer(415)
        return check_create(received, head.clock.now())
