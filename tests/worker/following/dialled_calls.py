"""The sandbox's own store, dialler and reads, in a time that a test moves on, and their ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import redis

from callspool.settings.kinds import DEFAULT_OUTCOMES
from callspool_ledger.reads.feed import FeedEvent, Position, join_page, read_feed
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.writes import Taken
from callspool_sandbox.dialler import Dialler
from callspool_sandbox.exchange import Clock, ServerStates
from callspool_sandbox.fault_files import CallTraits, FaultFile, ServerTraits
from callspool_sandbox.protocol import find_route
from callspool_sandbox.reads import Reads
from callspool_sandbox.store import Store, StoredRun
from callspool_worker.decisions.answers import Answer, Answered
from callspool_worker.decisions.call_outcome import read_outcomes
from callspool_worker.following.follower import Follower
from callspool_worker.following.frontier import FollowTimes
from callspool_worker.following.read_turns import FollowSettings
from callspool_worker.sending import body
from tests.support.ledgers import P, calls, group
from tests.worker.following.played_calls import SPACE, PlayedCalls


class PlayedClock(Clock):
    """The server's clock, as a test sets it."""

    moment = 0.0

    def now(self) -> float:
        return self.moment


class DialledCalls(PlayedCalls):
    """One contact a run, created one after the other, in a space of the sandbox that rings them.

    ``took``: seconds that a page of the space's tasks takes; ``page_limit``: entries of a page, at
    most, whatever was asked for.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        windows: str = "probe",
        took: float = 0.1,
        page_limit: int = 100,
        **server: Any,
    ) -> None:
        super().__init__(client, batch_size=1)
        traits = {"lines": 1000, "call_log": False, **server.pop("calls", {})}
        how = ServerTraits(calls=CallTraits(**traits), **server)
        self.states = ServerStates(FaultFile(server=how))
        self.clock, self.store = PlayedClock(self.states), Store(1)
        begun = self.clock.moment = float(int(time.time()))
        assert how.calls is not None
        ringing = how.calls
        self.dialler = Dialler(
            lambda: ringing, 1.0, 7, self.clock.now, lambda: self.clock.moment - begun
        )
        self.api = Reads(self.store, self.states, 1, self.dialler)
        self.batches: list[int] = []
        self.paths: list[str] = []
        """What was read: tasks (of a run), space_tasks, runs, call_logs."""
        self.answers: Callable[[str], Answer | None] = lambda _: None
        """What reads of an endpoint are answered instead."""
        self.seconds, self.took, self.page_limit = 0.0, took, page_limit
        settings = FollowSettings(
            ("default",),
            FollowTimes(900.0, 259_200.0),
            10_000.0,
            read_outcomes(DEFAULT_OUTCOMES),
            windows,
        )
        self.follower = Follower(
            self.ledger, {"default": self.ledger}, self.get, settings, clock=lambda: self.seconds
        )

    def create_each(
        self, number: int, every: float = 0.1, without_task: Sequence[int] = ()
    ) -> None:
        """Creates so many runs of one contact, some seconds after each other.

        ``without_task``: of these the answer names the run, and no task.
        """
        ids = [f"c{self.clock.moment:.0f}-{each}" for each in range(number)]
        self.spool.accept(group(ids))
        steps, created = [], {}
        for place, one in enumerate(ids):
            taken, run = self._create(one)
            made = [] if place in without_task else [self.store.task_id(run, 0)]
            steps.append(calls.record_created(taken, self.store.run_id(run), made, "200"))
            created[taken.batch] = self.clock.moment
            self.clock.moment += every
        self.ledger.run(steps)
        self.batches += created
        now_ms = time.time() * 1000
        since = {batch: now_ms - 1000 * (self.clock.moment - at) for batch, at in created.items()}
        for key in (f"{P}:calls:{SPACE}", f"{P}:opened:{SPACE}"):
            self.client.zadd(key, since)

    def create_unheard(self, document_id: str) -> None:
        """Creates a run of one contact whose answer is lost."""
        self.spool.accept(group([document_id]))
        taken, _ = self._create(document_id)
        self.clock.moment += 1
        doubt = calls.doubt(taken, outcome="no_answer", code="", detail="", proof=b"{}")
        self.ledger.run([doubt])

    def _create(self, document_id: str) -> tuple[Taken, StoredRun]:
        taken = self.ledger.take(f"me:{document_id}", ["default"])
        assert taken is not None
        mark = body.mark(self.ledger.id, taken.attempt, taken.lane)
        sent = {"name": "Ada", "contact_number": "+14155550123", "document_id": document_id}
        raw = {"pilot": "p", "documents": [sent | {"callspool_attempt": mark}]}
        run = self.store.start_run("SPACE", msgspec.json.encode(raw), 1, self.clock.moment)
        self.dialler.add(run, self.store.add_tasks(run, 1, self.clock.moment))
        return taken, run

    def follow_up(self, number: int, made: float) -> None:
        """Lets the platform follow up a call, at a time of the server; that reaches somebody."""
        dialled = self.dialler._runs[id(self.store.runs_of("SPACE")[number])]
        self.dialler._follow_up(dialled, 0)
        dialled.waiting.clear()
        task = dialled.tasks[1]
        task.made, task.status, task.ended, task.ended_at = made, "completed", "answered", made

    def events(self) -> Sequence[FeedEvent]:
        return join_page(LedgerReader(self.client).ask(read_feed([Position()])), 1000).events

    def get(self, account: str, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        query = {**query, "page_size": min(int(query["page_size"]), self.page_limit)}
        target = f"/api/v2/platform/{'/'.join(path)}/?{urlencode(query)}"
        route = find_route(target)
        assert route is not None
        self.paths.append(route.endpoint)
        self.seconds += self.took if route.endpoint == "space_tasks" else 0.05
        if (instead := self.answers(route.endpoint)) is not None:
            return instead
        rows, count = self.api.page(route, self.clock)
        found = self.api.answer(rows, count)
        return Answered(found.status, json=msgspec.json.decode(found.body))

    def pass_after(self, seconds: float) -> list[str]:
        """Makes a pass after a while; the endpoints that it read."""
        self.clock.moment += seconds
        self.paths.clear()
        self.look(seconds / 3600)
        return list(self.paths)

    def follow_all(self, *, step: float = 150.0, most: int = 200) -> list[str]:
        """Makes passes until no call is open; the endpoints that they read."""
        read: list[str] = []
        for _ in range(most):
            if "open" not in self.outcomes:
                return read
            read += self.pass_after(step)
        raise AssertionError(f"still open: {self.outcomes}")
