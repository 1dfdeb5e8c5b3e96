"""The API itself: what all connections share, and which way a request goes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from callspool_sandbox.answers import Answer, api_answer
from callspool_sandbox.checks import Received, check_create, check_sender, read_body
from callspool_sandbox.clock import Clock
from callspool_sandbox.creation import Creation
from callspool_sandbox.exchange import Head, Reply, logged_status, reply
from callspool_sandbox.faults.choose import Chooser, Facts
from callspool_sandbox.faults.plan import Plan, plan
from callspool_sandbox.reads import Reads
from callspool_sandbox.routes import Route, find_route
from callspool_sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from callspool_sandbox.log import EventLog
    from callspool_sandbox.options import Options


class Sandbox:
    """One API with its store, clock, faults and log."""

    def __init__(self, options: Options, log: EventLog) -> None:
        server = options.faults.server
        self.options = options
        self.log = log
        self.clock = Clock(server.clock_skew, server.created_zone, server.created_shift)
        self.store = Store(options.seed)
        self._chooser = Chooser(options.faults.faults, options.seed)
        self._reads = Reads(self.store, self.clock, server)
        self._later: set[asyncio.Task[None]] = set()
        self._requests = 0

    def arrived(self, method: str, target: str, headers: dict[bytes, bytes]) -> Head:
        """Takes note of a request's head and chooses the fault that needs no body."""
        self._requests += 1
        route = find_route(target)
        head = Head(self._requests, method, target, headers, route)
        if route is not None:
            self._chooser.in_flight[route.endpoint] += 1
            facts = Facts(route.endpoint, route.space)
            head.early = self._chooser.before_body(facts, self.clock.running())
        return head

    def left(self, head: Head) -> None:
        """The request is no longer in flight."""
        if head.route is not None:
            self._chooser.in_flight[head.route.endpoint] -= 1

    async def reply(self, head: Head, raw: bytes) -> Reply:
        """Handles a whole request up to its answer."""
        route = head.route
        if route is None or route.method != head.method:
            answer = api_answer(404 if route is None else 405)
            self.write_line(head, answer.status)
            return Reply(answer, Plan())
        if route.endpoint == "create":
            return await self._create(head, route, raw)
        return await self._read(head, route)

    def write_line(self, head: Head, status: int | None) -> None:
        """The line of a request that was answered without being looked into."""
        self.log.write("request", head.for_log(None) | {"status": status})

    def go_on_later(self, work: Coroutine[None, None, None]) -> None:
        """Work that outlives its request."""
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def close(self) -> None:
        for task in self._later:
            task.cancel()
        self.store.close()

    async def _read(self, head: Head, route: Route) -> Reply:
        facts = Facts(route.endpoint, route.space)
        fault = self._chooser.after_body(facts, self.clock.running())
        steps = plan(fault, 0, self.clock.now())
        answer = steps.own or self._refused(head)
        if answer is None:
            await asyncio.sleep(self.options.latency)
            answer = self._reads.answer(route)
        self.log.write(
            "request", head.for_log(fault) | {"status": logged_status(answer.status, steps)}
        )
        if steps.pause:
            await asyncio.sleep(steps.pause)
        return reply(answer, steps)

    async def _create(self, head: Head, route: Route, raw: bytes) -> Reply:
        received = read_body(raw)
        facts = Facts(route.endpoint, route.space, received.body.pilot, received.ids, len(raw))
        fault = self._chooser.after_body(facts, self.clock.running())
        steps = plan(fault, len(received.ids), self.clock.now())
        if not steps.unseen:
            refusal = self._refused_create(head, received)
            if refusal is not None:
                steps = replace(steps, opens=False, first=0, rest=0, late=0, own=refusal)
            elif self.options.latency:
                await asyncio.sleep(self.options.latency)
        creation = Creation(self, head, received, steps=steps, fault=fault)
        return await creation.carry_out(route.space)

    def _refused(self, head: Head) -> Answer | None:
        return check_sender(head.header(b"authorization"), head.header(b"org-handle"), self.options)

    def _refused_create(self, head: Head, received: Received) -> Answer | None:
        refusal = self._refused(head)
        if refusal is not None:
            return refusal
        if head.header(b"content-type").partition(";")[0].strip() != "application/json":
            return api_answer(415)
        return check_create(received, self.clock.now())
