"""A create request under way: which documents become tasks, when, and what is said of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from callspool_sandbox.answers import Answer, api_answer, created_answer
from callspool_sandbox.checks import Received, violation
from callspool_sandbox.exchange import Head, HttpReply, logged_status, reply

if TYPE_CHECKING:
    from callspool_sandbox.data.store import StoredRun
    from callspool_sandbox.faults.model import Fault
    from callspool_sandbox.faults.plan import FaultPlan
    from callspool_sandbox.sandbox import Sandbox


class TaskCreation:
    """Carries out one plan. Tasks and their line in the log are made without a pause in between."""

    def __init__(
        self,
        sandbox: Sandbox,
        head: Head,
        received: Received,
        *,
        steps: FaultPlan,
        fault: Fault | None,
        begun: float,
    ) -> None:
        self._sandbox = sandbox
        self._head = head
        self._received = received
        self._steps = steps
        self._fault = fault
        self._begun = begun
        self._run: StoredRun | None = None

    async def carry_out(self, space: str) -> HttpReply:
        """All steps up to the answer; what is to be created after it is left to a task."""
        steps = self._steps
        if steps.opens:
            await self._create(space, steps.first)
        self._write_line()
        if steps.pause:
            await asyncio.sleep(steps.pause_at(self._begun))
        if steps.rest:
            self._write_late(await self._create(space, steps.rest))
        if steps.late:
            self._sandbox.go_on_later(self._create_late(space))
        return self._reply()

    def _reply(self) -> HttpReply:
        before, mixed = self._sandbox.last_answer, self._steps.mixed
        answer = self._answer()
        if self._steps.own is None and self._run is not None:
            self._sandbox.last_answer = answer
        if mixed is None or before is None:
            return reply(answer, self._steps)
        if mixed.place == "behind":
            return replace(reply(answer, self._steps), behind=before)
        return reply(before, self._steps)

    async def _create(self, space: str, count: int) -> range:
        """Creates the next documents' tasks, at once or one after the other."""
        pace = self._sandbox.ways.now.documents_per_second
        if pace is None:
            return self._write(space, count)
        async with self._sandbox.creating:
            places = self._write(space, 0)
            for _ in range(count):
                await asyncio.sleep(1 / pace)
                places = range(places.start, self._write(space, 1).stop)
        return places

    def _write(self, space: str, count: int) -> range:
        clock = self._head.clock
        now = clock.now()
        store = self._sandbox.store
        if self._run is None:
            schedule = self._received.body.schedule
            later = isinstance(schedule, dict) and schedule.get("type") == "custom"
            self._run = store.start_run(
                space,
                self._received.raw,
                len(self._received.ids),
                now,
                "scheduled" if later else "pending",
                clock.server,
            )
        return store.add_tasks(self._run, count, now, clock.server)

    async def _create_late(self, space: str) -> None:
        left = self._steps.late
        piece = 1 if self._steps.delay else left
        while left:
            await asyncio.sleep(self._steps.delay)
            self._write_late(await self._create(space, piece))
            left -= piece

    def _answer(self) -> Answer:
        steps = self._steps
        if steps.own is not None:
            return steps.own
        run = self._run
        if run is None:
            return api_answer(200)
        store = self._sandbox.store
        listed = run.tasks if steps.listed is None else steps.listed
        status = b'"pending"'
        if self._sandbox.ways.now.data_status == "object":
            pairs = (f'"{store.task_id(run, place)}":"pending"' for place in range(listed))
            status = f"{{{','.join(pairs)}}}".encode()
        ids = store.task_ids_json(run, listed)
        return created_answer(store.run_id(run), ids, status, status=steps.listed_status)

    def _write_line(self) -> None:
        log = self._sandbox.log
        if not log.wanted:
            return
        steps, received, run = self._steps, self._received, self._run
        fields = self._head.for_log(self._fault)
        fields |= {
            "status": logged_status(self._status(), steps),
            "documents": len(received.ids),
            "created": received.ids[: run.tasks] if run else [],
            "run_id": self._sandbox.store.run_id(run) if run else None,
            "attempt": sorted(received.attempts),
            "bytes": len(received.raw),
        }
        broken_rule = violation(received)
        if broken_rule:
            fields["sandbox_violation"] = broken_rule
        log.write("request", fields)

    def _status(self) -> int:
        steps = self._steps
        return steps.own.status if steps.own else steps.listed_status

    def _write_late(self, places: range) -> None:
        if self._run is None or not self._sandbox.log.wanted:
            return
        fields: dict[str, object] = {
            "request": self._head.number,
            "run_id": self._sandbox.store.run_id(self._run),
            "created": self._received.ids[places.start : places.stop],
        }
        self._sandbox.log.write("created_late", fields)
