"""A ledger, an API in a process of its own, and one worker's steps, a step at a time."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import redis

from callspool_ledger.guard import Guard
from callspool_ledger.writes import LaneKey, Taken
from callspool_sandbox.process import SandboxProcess
from callspool_worker.api import UnpodApi
from callspool_worker.backoff import LedgerRetry
from callspool_worker.decisions.answers import Answer, Answered
from callspool_worker.decisions.decide import AttemptView, decide
from callspool_worker.decisions.second_look import read_refused
from callspool_worker.proving import ProofSettings, SpaceProver
from callspool_worker.sending import body, submit
from callspool_worker.sending.recording import Recorder
from callspool_worker.sending.refusal_check import RefusalCheck
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group
from tests.worker.proving.played import PlayedApi

QUIET = 0.6
"""Seconds of quiet in these tests."""

LEASE_MS = 200
"""Milliseconds after which a take that Redis forgot counts as over here."""

MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class _Hidden:
    def reveal(self) -> str:
        return "tok-0123456789abcdef"


@dataclass(frozen=True)
class _Account:
    api_url: str
    api_token: _Hidden = field(default_factory=_Hidden)
    org_handle: str = "unpod.tv"
    api_token_file: None = None


def _client_of(api: SandboxProcess) -> UnpodApi:
    return UnpodApi({"default": _Account(api.url)}, request_timeout=1.0, max_connections=4)


class Stage:
    """What a worker does, made to stop between any two steps."""

    def __init__(
        self,
        client: redis.Redis,
        api: SandboxProcess | PlayedApi,
        *,
        marked: bool = True,
        durable_takes: str = "off",
        quiet: float = QUIET,
        quiet_answered: float = QUIET,
        resend_unproven: bool = False,
        lag: float | None = None,
    ) -> None:
        self.spool = LedgerUnderTest(
            client,
            linger_ms=0,
            mark_attempts=marked,
            durable_takes=durable_takes,
            lease_ms=LEASE_MS,
            quiet_ms=int(quiet * 1000),
            quiet_answered_ms=int(quiet_answered * 1000),
        )
        self.ledger = self.spool.ledger
        self.sandbox = api
        self.api: UnpodApi | PlayedApi = api if isinstance(api, PlayedApi) else _client_of(api)
        self.recorder = Recorder(self.ledger)
        retry = LedgerRetry(threading.Event(), give_up_after=10)
        self.refusals = RefusalCheck(self.ledger, retry, self._get)
        self._takers = itertools.count(1)
        self.reads: list[tuple[str, ...]] = []
        self.after_reading: list[Callable[[], None]] = []
        how = ProofSettings(
            ("default",),
            quiet,
            quiet_answered,
            MAX_ATTEMPTS,
            resend_unproven,
            3600,
            lag=quiet if lag is None else lag,
        )
        self.guard = Guard(self.ledger)
        self.prover = SpaceProver(self.ledger, self._get, how, self.guard)

    def _get(self, account: str, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        self.reads.append(path)
        answer = self.api.get(account, path, query)
        while self.after_reading:
            self.after_reading.pop()()
        return answer

    def accept(
        self, ids: list[str], lane: LaneKey = LANE, extra: Mapping[str, str] | None = None
    ) -> None:
        """Accepts documents, some of them with ``extra`` fields, by id."""
        more = {one: f",{fields}".encode() for one, fields in (extra or {}).items()}
        documents = [
            b'{"name":"Ada","contact_number":"+14155550100","document_id":%b%b}'
            % (msgspec.json.encode(one), more.get(one, b""))
            for one in ids
        ]
        self.spool.accept(replace(group(ids, lane), documents=documents))

    def take(self) -> Taken:
        taken = self.ledger.take(f"me:{next(self._takers)}", ["default"])
        assert taken is not None
        return taken

    def post(self, taken: Taken) -> Answer:
        """Sends a batch, and records nothing."""
        word = None
        if self.ledger.limits.mark_attempts:
            word = body.mark(self.ledger.id, taken.attempt, taken.lane)
        return self.api.create("default", taken.lane.space_token, body.compose(taken, word))

    def record(self, taken: Taken, answer: Answer) -> None:
        view = AttemptView(taken.count, taken.tries, MAX_ATTEMPTS, taken.refused_alone)
        decision = self.refusals.decide_again(taken, answer, decide(answer, view), seconds=1.0)
        self.ledger.run(self.recorder.steps(taken, view, answer, decision))

    def deliver(self, taken: Taken) -> None:
        """What a worker does with a batch of a space with strays."""
        found = submit.steps(self.ledger, taken, self.guard)
        if found or not submit.hold_suspects(self.ledger, self.recorder, taken, self.guard):
            self.ledger.run([self.recorder.give_back(taken), *found])

    def sweep(self) -> None:
        self.ledger.run([calls.sweep(self.ledger.limits)])

    def deliver_probe(self, taken: Taken) -> str:
        """What a worker does with a batch that probes a gate."""
        path = ("spaces", taken.lane.space_token, "runs")
        turned_away = self.recorder.after_reading(taken, self.api.get("default", path))
        if turned_away is not None:
            self.ledger.run(turned_away)
            return "turned away by a read"
        self.record(taken, self.post(taken))
        return "sent"

    def send(self) -> Taken:
        """Takes a batch, sends it and records what came of it."""
        taken = self.take()
        self.send_taken(taken)
        return taken

    def send_taken(self, taken: Taken) -> None:
        """Sends a batch, unless a look into an earlier refusal says otherwise."""
        instead = None
        if (refused := read_refused(taken.unlooked)) is not None:
            read, found = self.refusals.look_into(taken, refused, anew=False)
            instead = self.recorder.after_looking(taken, refused, read, found)
        if instead is not None:
            self.ledger.run(instead)
        else:
            self.record(taken, self.post(taken))

    def look(self, times: int = 1) -> None:
        """Looks at every space now, whenever it would be due."""
        for _ in range(times):
            proofs = self.spool.client.zrange("callspool:{0}:proofs", 0, -1)
            for space in proofs:
                self.spool.client.zadd("callspool:{0}:proofs", {space: 0})
                assert self.prover.look("me")
            self.spool.check()

    def read_back(self, space: str = "default|SPACE") -> None:
        """Looks at a space that waits because Redis restarted until it may send."""
        until = time.monotonic() + 20
        while self.spool.client.hexists(f"{P}:gates", f"unread:{space}"):
            assert time.monotonic() < until, "it is never read back"
            self.look()
            time.sleep(0.05)

    def end_rest(self) -> None:
        """Whatever rests may be taken now."""
        due = self.spool.client.zrange("callspool:{0}:due", 0, -1)
        if due:
            self.spool.client.zadd("callspool:{0}:due", dict.fromkeys(due, 0))
        self.ledger.run([calls.sweep(self.ledger.limits)])

    def states(self, ids: list[str], lane: LaneKey = LANE) -> str:
        return "".join(self.spool.state(one, lane) for one in ids)

    def made(self) -> Counter[str]:
        """How often each document was created."""
        return Counter(self.sandbox.created_ids())

    def taken_again(self) -> bool:
        """Whether anything would be sent now."""
        return self.ledger.take("nobody:1", ["default"]) is not None

    def held(self, taken: Taken) -> str:
        """Why a batch cannot be proven, as the operator sees it; "" while it can."""
        return (self.spool.client.hget(f"{P}:b{taken.batch}", "held") or b"").decode()

    def be_called_by_others(self, *ids: str, space: str = "SPACE", **fields: object) -> str:
        """Another system creates a run in the same space."""
        documents = [
            {"name": "Bob", "contact_number": "+14155550101", "document_id": one, **fields}
            for one in ids
        ]
        content = msgspec.json.encode({"pilot": "p", "context": "c", "documents": documents})
        answer = self.api.create("default", space, content)
        assert isinstance(answer, Answered), answer
        assert isinstance(answer.json, dict)
        return str(answer.json["data"]["run_id"])

    def close(self) -> None:
        self.api.close()
