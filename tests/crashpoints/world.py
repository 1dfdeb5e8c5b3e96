"""Everything around the worker processes: producers, Redis, the API, supervisors, and time."""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import redis

from callspool import CallQueue, CallRequest, Document
from callspool.errors import QueueUnavailable
from callspool.hours.caps import Cap
from callspool.redis_io.scripts import run
from callspool.settings import Settings
from callspool.settings.kinds import Secret
from callspool.settings.model import Account
from callspool_ledger import keys
from callspool_ledger.guard import GLOBAL, GuardKey
from callspool_ledger.guard.calls import GuardCalls
from callspool_ledger.guard.numbers import digest_listed
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Doubts
from callspool_ledger.writes import LedgerUnavailable
from callspool_sandbox.process import SandboxProcess
from callspool_worker.api import UnpodApi
from callspool_worker.decisions.answers import Answer, NotSent
from callspool_worker.proving.matching import SHORT
from tests.crashpoints.knife import Cut, Knife, Point, Step, all_scripts
from tests.crashpoints.process import WorkerProcess
from tests.crashpoints.scenarios import Request, Scenario
from tests.crashpoints.verdict import READ_ALL, PlayError, Verdict, counts_of
from tests.support.ledgers import P

LISTED = "+14155550199"
KEY = GuardKey("k", bytes(32))

QUIET = 0.0
"""Seconds of quiet before something counts as missing: nothing is created late here."""

MOST_ROUNDS = 30
SPACES = 250
"""Spaces for which one sandbox has the faults of a scenario: one for each play."""


class World:
    """Plays one scenario again and again, each time in a space of its own."""

    def __init__(
        self, scenario: Scenario, redis_url: str, client: redis.Redis, folder: Path
    ) -> None:
        self.scenario = scenario
        self.plays = 0
        self.ssl_context = ssl.create_default_context()
        self._url, self._client, self._folder = redis_url, client, folder
        self._sandboxes: list[SandboxProcess] = []
        for script in all_scripts():
            client.script_load(script.source)

    def play(self, points: Sequence[Point] = (), *, seen_dying: bool = True) -> list[list[Step]]:
        """From an empty ledger to the end; the steps of each worker that there was.

        The first worker dies at the first point, the next one, which takes over, at the second.
        ``seen_dying``: a supervisor sees it; otherwise leases end. Raises `PlayError`.
        """
        with closing(Play(self, seen_dying=seen_dying)) as play:
            play.enqueue()
            return play.work(points)

    def play_producer(self, point: Point | None = None) -> list[Step]:
        """The same for a producer that dies, and enqueues everything again; its steps."""
        with closing(Play(self, seen_dying=True)) as play:
            knife = Knife(point, lambda _: None)
            try:
                play.enqueue(knife)
            except Cut:
                play.enqueue()
            finally:
                knife.close()
            if point is not None and not knife.has_cut:
                raise NotReachedError(f"{point} was never reached")
            play.work(())
            return knife.steps

    def next_sandbox(self) -> tuple[SandboxProcess, str]:
        """A sandbox that has the scenario's faults for a space that was never used."""
        if self.plays % SPACES == 0:
            names = [f"S{number:05}" for number in range(self.plays, self.plays + SPACES)]
            faults = "".join(self.scenario.faults.replace("{space}", name) for name in names)
            log = self._folder / f"{self.plays}.jsonl"
            self._sandboxes.append(SandboxProcess(log=log, faults=faults).start())
        self.plays += 1
        return self._sandboxes[-1], f"S{self.plays - 1:05}"

    def check_logs(self) -> None:
        """The API's own logs: nothing was created twice, and no request was one of a bug."""
        for sandbox in self._sandboxes:
            twice = [one for one, times in Counter(sandbox.created_ids()).items() if times > 1]
            assert not twice, f"created more than once: {twice[:5]}"
            assert not [line for line in sandbox.log_lines() if "sandbox_violation" in line]

    def close(self) -> None:
        for sandbox in self._sandboxes:
            sandbox.stop()

    @property
    def redis_url(self) -> str:
        return self._url

    @property
    def client(self) -> redis.Redis:
        """A client that nobody cuts."""
        return self._client


def set_cap(client: redis.Redis, calls: int) -> None:
    """Lets each number be called so often in a day, before there is a ledger."""
    run(client, [begin_guard(client).set_caps("", [Cap(calls, 86400)])])


def suppress(client: redis.Redis, number: str) -> None:
    """Puts a number on the global list."""
    guard, numbers = begin_guard(client), digest_listed([number], KEY, None)
    run(client, [guard.add(KEY.id, GLOBAL, numbers, till_ms=0, source="", by="ann")])


def begin_guard(client: redis.Redis) -> GuardCalls:
    """Has workers ask the guard, which has a key."""
    guard = GuardCalls()
    client.hset(guard.keys.meta, mapping={"id": KEY.id, "key": KEY.secret.hex()})
    client.hset(f"{P}:meta", "guarded", 1)
    return guard


class NotReachedError(PlayError):
    """The worker came to its end without that step: it depends on time."""


class Play:
    """One run through a scenario."""

    def __init__(self, world: World, *, seen_dying: bool) -> None:
        self._scenario, self._client = world.scenario, world.client
        self._client.flushall()
        self._enqueued = 0
        if world.scenario.cap:
            set_cap(self._client, world.scenario.cap)
        if any(request.listed for request in world.scenario.requests):
            suppress(self._client, LISTED)
        self._seen_dying = seen_dying
        self._sandbox, self._space = world.next_sandbox()
        account = Account(
            name="default",
            api_token=Secret("tok-0123456789"),
            org_handle="unpod.tv",
            api_url=self._sandbox.url,
        )
        options: dict[str, Any] = {"request_timeout": 20.0, "batch_size": 4}
        self._settings = Settings(
            redis_url=world.redis_url,
            accounts={"default": account},
            linger=0.0,
            proof_quiet=QUIET,
            proof_quiet_answered=QUIET,
            **options | self._scenario.settings,
        )
        self._api = UnpodApi(
            self._settings.accounts,
            request_timeout=self._settings.request_timeout,
            max_connections=4,
            ssl_context=world.ssl_context,
        )
        self._unreachable = self._scenario.unreachable
        self._kept: dict[bytes, bytes] | None = None
        self._forgets = bool(self._scenario.forget)
        self._is_about_to_forget = False

    def close(self) -> None:
        self._api.close()

    def work(self, points: Sequence[Point]) -> list[list[Step]]:
        steps: list[list[Step]] = []
        dead: list[str] = []
        while len(steps) < 6:
            knife = Knife(points[len(dead)] if len(dead) < len(points) else None, self._on_step)
            steps.append(knife.steps)
            incarnation = f"worker-{len(steps)}"
            try:
                self._live(knife, incarnation, dead)
            except Cut:
                dead.append(incarnation)
                continue
            except (LedgerUnavailable, QueueUnavailable):
                continue  # it began while Redis was away: its slot starts another one
            finally:
                knife.close()
            break
        if len(dead) < len(points):
            raise NotReachedError(f"{points[len(dead)]} was never reached")
        self._judge()
        return steps

    def _judge(self) -> None:
        requests = self._scenario.requests
        verdict = Verdict(
            self._client,
            self._space,
            documents={self._id(one): "created" for request in requests for one in request.ids}
            | {self._id(one): "dead" for request in requests for one in request.bad}
            | {self._id(one): "cancelled" for request in requests for one in request.listed},
            # Of what was enqueued twice nobody knows how much arrived the first time.
            duplicates=self._scenario.duplicates if self._enqueued == 1 else None,
        )
        if self._scenario.cap:
            self._check_calls(sum(len(each.ids) - len(each.listed) for each in requests))
        verdict.check(self._api.get("default", ("spaces", self._space, "tasks"), READ_ALL))

    def _check_calls(self, created: int) -> None:
        """Each document that was created counts as one call of the number that all share."""
        keys_of_calls = self._client.keys(f"{GuardCalls().keys.prefix}:c:*")
        counted = sum(len(calls) // 7 for key in keys_of_calls for calls in self._client.hvals(key))
        if counted != created:
            raise PlayError(f"{counted} calls are counted instead of {created}")

    def _live(self, knife: Knife, incarnation: str, dead: Sequence[str]) -> None:
        worker = WorkerProcess(
            self._settings,
            incarnation,
            knife,
            create=self._create,
            get=self._api.get,
            dead=dead if self._seen_dying else (),
            asks_at_acceptance=self._scenario.asks_at_acceptance,
        )
        for _ in range(MOST_ROUNDS):
            worker.round()
            was_over = self._is_over()
            self._let_time_pass()
            self._decide()
            if was_over:
                worker.round()  # nothing may come of that any more
                return
        raise PlayError(f"nothing moves after {MOST_ROUNDS} rounds: {counts_of(self._client)}")

    # The world's own doings

    def enqueue(self, knife: Knife | None = None) -> None:
        """Enqueues the first request alone, and all others together."""
        self._enqueued += 1
        client = knife.client(self._settings.redis_url) if knife else self._client
        first, *others = map(self._call_request, self._scenario.requests)
        with CallQueue(client) as queue:
            queue.enqueue(first)
            queue.enqueue_many(others)
        if self._scenario.is_last_noted:
            self._note_last()

    def _note_last(self) -> None:
        """As `enqueue.lua` does behind many documents."""
        stream = keys.stream(keys.REQUESTS)
        [(last, _)] = self._client.xrevrange(stream, count=1)
        self._client.rpush(keys.soon_list(stream), last)

    def _call_request(self, request: Request) -> CallRequest:
        documents = [
            Document(
                name="Ada Example",
                contact_number=LISTED if one in request.listed else "+14155550123",
                document_id=self._id(one),
                extra={"sandbox": "reject"} if one in request.bad else None,
            )
            for one in request.ids
        ]
        return CallRequest(
            space_token=self._space, pilot="pilot-a", context=request.context, documents=documents
        )

    def _id(self, one: str) -> str:
        return f"{self._space}-{one}"

    def _create(
        self, account: str, space: str, body: bytes, send_before: float, _may_send: object
    ) -> Answer:
        if self._unreachable:
            self._unreachable -= 1
            return NotSent("connection refused", "connect")
        return self._api.create(account, space, body, send_before)

    def _on_step(self, name: str) -> None:
        """A step of some process begins."""
        if self._is_about_to_forget:
            self._is_about_to_forget = self._forgets = False
            self._forget()
        if not self._forgets:
            return
        if self._kept is None:
            if self._scenario.remember in name:
                self._kept = {key: self._client.dump(key) for key in self._client.keys("*")}
        elif self._scenario.forget in name:
            self._is_about_to_forget = True

    def _forget(self) -> None:
        """Redis crashes and restarts without its last moments."""
        assert self._kept is not None
        self._client.flushall()
        for key, value in self._kept.items():
            self._client.restore(key, 0, value)
        if self._client.hexists(f"{P}:meta", "server"):
            self._client.hset(f"{P}:meta", "server", "another")
        self._client.client_kill_filter(_type="normal", skipme=True)

    def _is_over(self) -> bool:
        counts = counts_of(self._client)
        unsettled = sum(counts[state] for state in ("waiting", "sending", "in_doubt"))
        is_unread = any(gate.startswith(b"unread:") for gate in self._client.hkeys(f"{P}:gates"))
        return not unsettled and not is_unread and not self._client.xlen(keys.stream(keys.REQUESTS))

    def _decide(self) -> None:
        """As an operator who sees that a run which the API began is not going on."""
        for key in self._client.keys(f"{P}:b*"):
            if self._client.hget(key, "held") == SHORT.encode():
                Doubts([self._client], "ann").resend(Selector(), only_held=True)

    def _let_time_pass(self) -> None:
        """As much of it as is needed for whatever is due some time."""
        client = self._client
        if client.exists(f"{P}:proofs"):
            time.sleep(0.002)  # Redis counts milliseconds
        for name in ("due", "proofs"):
            if found := client.zrange(f"{P}:{name}", 0, -1):
                client.zadd(f"{P}:{name}", dict.fromkeys(found, 0))
        for space, look in client.hgetall(f"{P}:looking").items():
            client.hset(f"{P}:looking", space, b"1 " + look.partition(b" ")[2])
        client.delete(f"{P}:throttled")
        # What Redis forgot can be under way no more.
        if restarted := client.hget(f"{P}:meta", "restarted"):
            client.hset(f"{P}:meta", "restarted", int(restarted) - 60_000)
        for gate, state in client.hgetall(f"{P}:gates").items():
            closed = msgspec.json.decode(state)
            closed["closed"] = closed.get("closed", 0) - 60_000
            client.hset(f"{P}:gates", gate, msgspec.json.encode(closed))
        client.hdel(f"{P}:meta", "announced")
