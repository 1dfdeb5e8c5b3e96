"""Where the time goes: CPU of each step of a document's way, in one thread, nothing beside it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.speed.api import Api
from benchmarks.speed.contacts import people
from benchmarks.speed.outcome import Options, Outcome, Tell
from benchmarks.speed.senders import request
from callspool import CallQueue
from callspool.request.call_request import Rules
from callspool.request.message import decode
from callspool.settings import load_settings
from callspool_ledger import keys
from callspool_worker import api
from callspool_worker.accepting.message_reader import Reader
from callspool_worker.decisions.decide import AttemptView, decide
from callspool_worker.ledgers import connect, ledger_of
from callspool_worker.sending import body
from callspool_worker.sending.recording import Recorder
from tests.support.servers import RedisServer, server_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from callspool.redis_io.scripts import Call
    from callspool.settings import Settings
    from callspool_ledger.writes import Ledger

REQUEST = 500
TRIES = 8
READ_AHEAD = 10
LOOP = "the loop around them"
SECONDS = 60.0
PATIENCE = 600.0
"""Seconds for a reply of a server that is some fifty times as slow as usual."""


class Meter:
    """CPU seconds of this thread and of Redis, by the name of a step."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.ours: defaultdict[str, float] = defaultdict(float)
        self.redis: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds up what happens inside; Redis counts in steps of a hundredth of a second or so."""
        redis_cpu, cpu = self._redis(), time.thread_time()
        with self.part(name, cpu):
            yield
        self.redis[name] += self._redis() - redis_cpu

    @contextmanager
    def part(self, name: str, began: float | None = None) -> Iterator[None]:
        """As `step`, too short to ask Redis about."""
        cpu = time.thread_time() if began is None else began
        yield
        self.ours[name] += time.thread_time() - cpu

    def _redis(self) -> float:
        found = self._client.info("cpu")
        return float(found["used_cpu_user_main_thread"]) + float(found["used_cpu_sys_main_thread"])


def run(options: Options, tell: Tell) -> Outcome:
    """Returns every document takes every step; what threads and processes cost comes on top."""
    documents = options.pick(500, 50_000, 200_000, 1_000_000)
    with ExitStack() as stack:
        server = stack.enter_context(
            RedisServer("--appendfsync", "everysec", append_only=True),
        )
        stub = stack.enter_context(Api())
        meter = Meter(stack.enter_context(server.client()))
        settings = _settings(server.url, stub.url, options)
        _walk(settings, meter, documents)
        called = stub.counted().documents
    if called != documents:
        raise RuntimeError(f"{called:,} of {documents:,} documents were called")
    share = 100_000 / documents
    ours = {name: seconds * share for name, seconds in meter.ours.items()}
    redis_cpu = {name: seconds * share for name, seconds in meter.redis.items()}
    tell(f"{sum(ours.values()):.2f} CPU s per 100,000, Redis {sum(redis_cpu.values()):.2f}")
    return Outcome(
        part="steps",
        title=f"CPU of each step, requests of {REQUEST}, one thread",
        rows=[
            ("seconds per 100,000", "Python", "Redis"),
            *(
                (name, f"{ours[name]:.2f}", f"{redis_cpu[name]:.2f}" if name in redis_cpu else "")
                for name in ours
            ),
            ("in all", f"{sum(ours.values()):.2f}", f"{sum(redis_cpu.values()):.2f}"),
        ],
        notes=["Redis' share of taking, posting and recording stands at the last of them"],
        figures={"documents": documents, "python": ours, "redis": redis_cpu},
    )


class _InstructionMeter(Meter):
    """Counts the server's instructions: the same on a busy machine as on an idle one."""

    def __init__(self, client: redis.Redis, pid: int, dumps: Path) -> None:
        super().__init__(client)
        self._pid = pid
        self._dumps = dumps

    def _redis(self) -> float:
        subprocess.run(
            ("callgrind_control", "--dump", str(self._pid)), check=True, capture_output=True
        )
        self._client.ping()
        texts = [each.read_text(errors="replace") for each in self._dumps.glob("counts.*")]
        return sum(
            int(found[1])
            for text in texts
            if (found := re.search(r"^totals: (\d+)", text, re.MULTILINE))
        )


def run_instructions(options: Options, tell: Tell) -> Outcome:
    """What each step costs the server, in instructions for 100 documents; valgrind counts them."""
    title = f"Instructions of the server, for 100 documents in requests of {REQUEST}"
    if shutil.which("valgrind") is None:
        return Outcome(
            part="instructions", title=title, rows=[], notes=["valgrind is not installed"]
        )
    documents = options.pick(500, 5_000, 10_000, 20_000)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callspool-speed-")))
        slow = home / "server"
        slow.write_text(
            "#!/bin/sh\nexec valgrind --quiet --tool=callgrind"
            f' --callgrind-out-file={home}/counts.%p {server_binary()} "$@"\n',
            encoding="utf-8",
        )
        slow.chmod(0o755)
        stack.enter_context(patch.dict(os.environ, CALLSPOOL_TEST_REDIS_SERVER=str(slow)))
        server = stack.enter_context(RedisServer("--appendfsync", "everysec", append_only=True))
        stub = stack.enter_context(Api())
        assert server.process is not None
        meter = _InstructionMeter(stack.enter_context(server.client()), server.process.pid, home)
        _walk(_settings(server.url, stub.url, options), meter, documents)
    share = 100 / documents
    counts = {name: number * share for name, number in meter.redis.items()}
    tell(f"{sum(counts.values()):,.0f} instructions for 100 documents")
    return Outcome(
        part="instructions",
        title=title,
        rows=[
            ("step", "instructions"),
            *((name, f"{number:,.0f}") for name, number in counts.items()),
            ("in all", f"{sum(counts.values()):,.0f}"),
        ],
        figures={"documents": documents, "instructions": counts},
    )


def _settings(redis_url: str, api_url: str, options: Options) -> Settings:
    return load_settings(
        {
            "CALLSPOOL_REDIS_URL": redis_url,
            "CALLSPOOL_API_URL": api_url,
            "CALLSPOOL_API_TOKEN": "rehearsal",
            "CALLSPOOL_ORG_HANDLE": "acme.example",
            "CALLSPOOL_LINGER": "0",
            **options.settings,
        }
    )


def _walk(settings: Settings, meter: Meter, documents: int) -> None:
    requests = [
        request(people(first, min(REQUEST, documents - first)))
        for first in range(0, documents, REQUEST)
    ]
    with (
        closing(connect(settings.redis_url)) as client,
        CallQueue(settings.redis_url, timeout=PATIENCE) as queue,
    ):
        client.connection_pool.connection_kwargs["socket_timeout"] = PATIENCE
        ledger = ledger_of(settings, client)
        ledger.open("")  # nothing was sent before: nothing has to be read back
        stream = keys.stream(keys.REQUESTS)
        client.xgroup_create(stream, keys.GROUP, "0", mkstream=True)
        with meter.step("enqueue_many: check, encode, store"):
            queue.enqueue_many(requests)
        with meter.step("read the stream"):
            entries = list(_entries(client, stream))
        reader = Reader(Rules(None, False, None), ledger.limits)
        with meter.step("read the messages: decode, check, digest"):
            deliveries = [reader.read(name, decode(fields)) for name, fields in entries]
        with meter.step("accept"):
            for delivery in deliveries:
                ledger.accept([delivery])
        _submit(settings, ledger, meter)


def _submit(settings: Settings, ledger: Ledger, meter: Meter) -> None:
    recorder = Recorder(ledger)
    turns = itertools.count(1)
    steps: list[Call] = []
    unpod = api.UnpodApi(settings.accounts, request_timeout=SECONDS, max_connections=1)
    with closing(unpod), meter.step(LOOP):
        while True:
            with meter.part("record the last batch, take the next"):
                taken = ledger.record_and_take(
                    steps, f"benchmark:{next(turns)}", tuple(settings.accounts)
                )
            if taken is None:
                break
            with meter.part("compose the body"):
                content = body.compose(taken, body.mark(ledger.id, taken.attempt, taken.lane))
            with meter.part("POST"):
                lane = taken.lane
                before = api.now() + SECONDS
                answer = unpod.create(lane.account, lane.space_token, content, before)
            with meter.part("decide"):
                view = AttemptView(taken.count, taken.tries, TRIES, taken.refused_alone)
                decision = decide(answer, view)
            with meter.part("say what to record"):
                steps = recorder.steps(taken, view, answer, decision)
    within = sum(meter.ours[name] for name in list(meter.ours)[4:] if name != LOOP)
    meter.ours[LOOP] -= within


def _entries(client: redis.Redis, stream: str) -> Iterator[tuple[str, dict[bytes, bytes]]]:
    while True:
        reply: Any = client.xreadgroup(keys.GROUP, "benchmark", {stream: ">"}, count=READ_AHEAD)
        if not reply:
            return
        found = next(iter(reply.values()))[0] if isinstance(reply, dict) else reply[0][1]
        for name, fields in found:
            yield name.decode(), fields
