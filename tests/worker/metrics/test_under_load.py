"""What exporters and workers serve while work goes on, processes are killed and Redis goes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_sandbox.process import SandboxProcess
from chaos.processes import children_of
from tests.support import cli
from tests.support.servers import RedisServer, free_port
from tests.worker.metrics.scraped import STATES, Samples, exporter, get, samples_in, total, value

CONTACTS = 1_500
FAULTS = """
[[faults]]
name = "status"
status = 503
where = "after"
probability = 0.05

[[faults]]
name = "status"
status = 429
probability = 0.05
"""
EVENTS = "callspool_document_events_total"


class Scraper(threading.Thread):
    """Scrapes one address again and again, and keeps what it saw."""

    def __init__(self, url: str, kept: list[Samples]) -> None:
        super().__init__(daemon=True)
        self.url = f"{url}/metrics"
        self.kept = kept
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            status, _, text = get(self.url)
            assert status == 200
            self.kept.append(samples_in(text))


@contextmanager
def worker(env: dict[str, str], cwd: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    with (cwd / "worker.log").open("a") as log:
        process = subprocess.Popen(
            [*cli.COMMAND, "worker", "--threads", "4", "--metrics-port", str(port)],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], object], timeout: float = 90) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.05)


def assert_nothing_is_unaccounted_for(scrapes: list[Samples]) -> None:
    for samples in scrapes:
        accepted = value(samples, EVENTS, event="accepted", account="default")
        states = [
            value(samples, "callspool_documents", state=state, account="default")
            for state in STATES
        ]
        assert accepted == sum(states), samples
        assert value(samples, "callspool_unaccounted_documents", account="default") == 0
        assert total(samples, "callspool_delivery_seconds_count") == states[STATES.index("created")]


def assert_nothing_goes_back(scrapes: list[Samples]) -> None:
    highest: defaultdict[object, float] = defaultdict(float)
    for samples in scrapes:
        for key, number in samples.items():
            if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
                assert number >= highest[key], key
                highest[key] = number
    assert highest


@pytest.mark.timeout(180)
def test_every_scrape_accounts_for_every_document_while_workers_are_killed(tmp_path: Path):
    contacts = cli.write_contacts(tmp_path / "contacts.csv", CONTACTS)
    (tmp_path / "faults.toml").write_text(FAULTS)
    port = free_port()
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(append_only=True))
        faults = tmp_path / "faults.toml"
        api = stack.enter_context(
            SandboxProcess(faults=faults, latency=0.05, log=tmp_path / "api.jsonl")
        )
        env = cli.environment(
            tmp_path,
            CALLSPOOL_API_URL=api.url,
            CALLSPOOL_REDIS_URL=server.url,
            CALLSPOOL_BATCH_SIZE="20",
            CALLSPOOL_REQUEST_TIMEOUT="3",
            CALLSPOOL_PROOF_QUIET="1",
            CALLSPOOL_PROOF_QUIET_ANSWERED="1",
            **cli.REAL,
        )
        exporters = [stack.enter_context(exporter(env, tmp_path)) for _ in range(2)]
        working = stack.enter_context(worker(env, tmp_path, port))
        own = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(f"{own}/readyz"))
        seen: dict[str, list[Samples]] = {url: [] for url in (*exporters, own)}
        scrapers = [Scraper(url, kept) for url, kept in seen.items()]
        for scraper in scrapers:
            scraper.start()
        assert cli.call(["send", str(contacts), "--yes"], env, tmp_path).returncode == 0
        reader = LedgerReader(stack.enter_context(redis.Redis.from_url(server.url)))
        wait_for(lambda: reader.ask(read_summary()).documents["created"] > CONTACTS / 10)
        os.kill(children_of(working.pid)[0], signal.SIGKILL)
        wait_for(lambda: reader.ask(read_summary()).documents["created"] == CONTACTS)
        for scraper in scrapers:
            scraper.stopped.set()
            scraper.join()
        texts = [get(f"{url}/metrics")[2] for url in exporters]
        first, second = map(samples_in, texts)
        summary = reader.ask(read_summary())

        counted = [
            {key: number for key, number in samples.items() if key[0].endswith(("_total", "_sum"))}
            for samples in (first, second)
        ]
        assert counted[0] == counted[1]
        for url in exporters:
            assert len(seen[url]) > 5
            assert_nothing_is_unaccounted_for(seen[url])
        for scrapes in seen.values():
            assert_nothing_goes_back(scrapes)
        for state in STATES:
            number = value(first, "callspool_documents", state=state, account="default")
            assert number == summary.documents[state]
        for outcome, number in summary.submissions.items():
            assert total(first, "callspool_submissions_total", outcome=outcome) == number
            assert total(first, "callspool_submission_seconds_count", outcome=outcome) == number
        assert value(first, "callspool_created_twice_total", account="default") == 0
        assert value(first, "callspool_runs_total", account="default") == summary.runs
        assert len(api.created_ids()) == CONTACTS

        page = get(f"{own}/metrics")[2]
        own_samples = samples_in(page)
        assert value(own_samples, "callspool_worker_restarts_total") == 1
        assert value(own_samples, "callspool_worker_messages_accepted_total") > 0
        assert value(own_samples, "callspool_worker_processes") == 2
        busiest = max(total(each, "callspool_worker_requests_in_flight") for each in seen[own])
        assert 0 < busiest <= 8
        assert max(total(each, "callspool_workers") for each in seen[exporters[0]]) >= 2
        for private in ("Person", "55501", "crm-", *cli.REAL.values()):
            assert private not in "".join([*texts, page])
        assert get(f"{own}/healthz")[0] == 200
        server.kill()
        assert get(f"{own}/readyz")[0] == 503
        assert get(f"{own}/healthz")[0] == 200
        server.start()
        wait_for(lambda: _answers(f"{own}/readyz"))


def _answers(url: str) -> bool:
    try:
        return get(url)[0] == 200
    except OSError:
        return False
