"""Whatever a server answers, a worker records something and goes on."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import pytest
import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.commands.show import lines_of
from callspool_operators.terminal.wording import json_line
from callspool_worker.api import UnpodApi
from callspool_worker.decisions.decide import AttemptView, Created, decide
from callspool_worker.proving import ProofSettings, SpaceProver
from callspool_worker.sending import body
from callspool_worker.sending.recording import Recorder
from tests.security.answers import CREATIONS, LISTS, STEERING, answers
from tests.support.ledgers import LANE, LedgerUnderTest, group
from tests.worker.api.conftest import TOKEN, FakeAccount
from tests.worker.api.peer import Peer, Server, response

CREATIONS_TRIED = 500
LOOKS_TRIED = 250
READS_A_LOOK = 4


@dataclass
class Sayings:
    """What a server says next, an answer a connection; without any, it hangs up."""

    next: deque[bytes] = field(default_factory=deque)

    def __call__(self, peer: Peer) -> None:
        peer.receive()
        if self.next:
            peer.send(self.next.popleft())


@pytest.fixture(scope="module")
def sayings() -> Sayings:
    return Sayings()


@pytest.fixture(scope="module")
def api(sayings: Sayings) -> Iterator[UnpodApi]:
    with (
        Server(sayings) as server,
        UnpodApi({"default": FakeAccount(server.url)}, request_timeout=5, max_connections=2) as api,
    ):
        yield api


class Worker:
    """A ledger and the steps of a worker on it, for one document after another."""

    def __init__(self, client: redis.Redis, api: UnpodApi) -> None:
        client.flushall()
        self.spool = LedgerUnderTest(client, linger_ms=0)
        self.client = client
        self.recorder = Recorder(self.spool.ledger)
        self.api = api
        how = ProofSettings(
            ("default",), 0.0, 0.0, max_attempts=3, resend_unproven=False, dedupe_window=86400.0
        )
        self.prover = SpaceProver(self.spool.ledger, api.get, how)

    def send(self, document_id: str) -> object:
        self.spool.accept(group([document_id]))
        taken = self.spool.ledger.take(f"me:{document_id}", ["default"])
        assert taken is not None
        mark = body.mark(self.spool.ledger.id, taken.attempt, taken.lane)
        answer = self.api.create("default", LANE.space_token, body.compose(taken, mark))
        view = AttemptView(taken.count, taken.tries, 3)
        decision = decide(answer, view)
        self.spool.ledger.run(self.recorder.steps(taken, view, answer, decision))
        return decision

    def told(self, document_id: str) -> str:
        """All that `show`, for people and for scripts, says of it."""
        (story,) = LedgerReader(self.client).ask(read_stories(document_id))
        return "\n".join([*lines_of(story), json_line(story.attempts), json_line(story.reason)])


@pytest.fixture
def worker(client: redis.Redis, api: UnpodApi) -> Worker:
    return Worker(client, api)


def is_calm(text: str) -> bool:
    """Whether nothing in it steers a terminal, or is our token."""
    return all(line.isprintable() for line in text.split("\n")) and TOKEN not in text


def test_any_answer_to_a_create_call_is_recorded_and_told(
    client: redis.Redis, api: UnpodApi, sayings: Sayings
) -> None:
    number = 0

    @settings(max_examples=CREATIONS_TRIED, deadline=None)
    @given(answers(CREATIONS))
    @example(response(200, b'{"data":{"run_id":"R1","task_ids":["..%2f"]}}'))
    @example(response(400, msgspec.json.encode({"errors": {TOKEN: [STEERING]}})))
    def try_one(answer: bytes) -> None:
        nonlocal number
        number += 1
        worker = Worker(client, api)
        sayings.next = deque([answer])
        worker.send(f"crm-{number}")
        worker.spool.check()
        assert worker.spool.state(f"crm-{number}") in {"w", "d", "c", "x"}
        assert is_calm(worker.told(f"crm-{number}"))
        gates = [value.decode() for value in client.hvals("callspool:{0}:gates")]
        assert all(TOKEN not in gate for gate in gates)

    try_one()


def test_any_answers_to_reads_leave_the_doubt_or_settle_it_and_nothing_else(
    client: redis.Redis, api: UnpodApi, sayings: Sayings
) -> None:
    number = 0

    @settings(max_examples=LOOKS_TRIED, deadline=None)
    @given(st.lists(answers(LISTS), min_size=READS_A_LOOK, max_size=READS_A_LOOK))
    def try_one(found: list[bytes]) -> None:
        nonlocal number
        number += 1
        worker = Worker(client, api)
        sayings.next = deque([response(500, b'{"status_code":500,"message":"no"}')])
        worker.send(f"crm-{number}")
        sayings.next = deque(found)
        client.zadd("callspool:{0}:proofs", {f"default|{LANE.space_token}": 0})
        assert worker.prover.look("me")
        worker.spool.check()
        assert worker.spool.state(f"crm-{number}") in {"d", "w", "c"}
        assert is_calm(worker.told(f"crm-{number}"))

    try_one()


MEMORY = 700 * 1024 * 1024
READ_ONE = """
import sys
from tests.worker.api.conftest import FakeAccount
from callspool_worker.api import UnpodApi
with UnpodApi({"default": FakeAccount(sys.argv[1])}, request_timeout=60, max_connections=1) as api:
    answers = [api.get("default", ("spaces", "S", "runs")) for _ in range(2)]
    print(*(type(each).__name__ for each in answers), answers[0].json is None)
"""


def test_an_answer_of_many_small_values_does_not_fill_memory() -> None:
    many = b'{"status_code":200,"data":[' + b"{}," * (10 * 1024 * 1024) + b"{}]}"

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def behave(peer: Peer) -> None:
        while peer.receive().ended == "complete":
            peer.send(response(200, many))

    with Server(behave) as server:
        done = subprocess.run(
            [sys.executable, "-c", READ_ONE, server.url],
            capture_output=True, text=True, preexec_fn=limited, check=False, timeout=120,
        )  # fmt: skip
    assert done.stdout.split() == ["Answered", "Answered", "True"], done.stderr[-500:]


def test_what_is_created_is_what_the_answer_names(worker: Worker, sayings: Sayings) -> None:
    sayings.next = deque([response(200, b'{"data":{"run_id":"R1","task_ids":["T1"]}}')])
    assert worker.send("crm-1") == Created("R1", ("T1",))
    assert "T1" in worker.told("crm-1")
