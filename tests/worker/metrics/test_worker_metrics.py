"""What a worker's processes tell of themselves, added up; and what its probes make of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from callspool.errors import QueueUnavailable
from callspool_worker.liveness import Heartbeat, ProcessStats, Reporter, read_vitals
from callspool_worker.metrics.workers import (
    DESERTED,
    FRESH,
    WEDGED,
    Probes,
    WorkerStats,
    WorkerStatsCollector,
)
from tests.support import cli, prometheus
from tests.worker.metrics.scraped import Samples, samples_in, value


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stats(clock: Clock) -> WorkerStats:
    return WorkerStats(clock)


def scraped(stats: WorkerStats, alive: int = 2) -> Samples:
    return samples_in(generate_latest(WorkerStatsCollector(stats, lambda: alive)).decode())


def report(stats: WorkerStats, name: str, **vitals: object) -> None:
    stats.on_report(name, ProcessStats(**vitals).to_json())  # type: ignore[arg-type]


def probes(stats: WorkerStats, clock: Clock, alive: Callable[[], int] = lambda: 2) -> Probes:
    return Probes(stats, alive, lambda: None, clock)


def test_what_grows_never_goes_back_when_a_process_is_killed_and_another_begins(
    stats: WorkerStats,
):
    report(stats, "a", messages_accepted=5, cpu_seconds=2.5, threads=4, in_flight={"default": 3})
    report(stats, "b", messages_accepted=7, cpu_seconds=1.5, threads=4, in_flight={"default": 1})
    before = scraped(stats)
    stats.on_end("a")
    between = scraped(stats)
    report(stats, "c", messages_accepted=1, cpu_seconds=0.5, threads=4)
    after = scraped(stats)
    name = "callspool_worker_messages_accepted_total"
    assert [value(each, name) for each in (before, between, after)] == [12, 12, 13]
    name = "callspool_worker_process_cpu_seconds_total"
    assert [value(each, name) for each in (before, between, after)] == [4, 4, 4.5]
    name = "callspool_worker_requests_in_flight"
    assert [value(each, name, account="default") for each in (before, between)] == [4, 1]
    assert value(after, "callspool_worker_threads") == 8
    assert value(after, "callspool_worker_restarts_total") == 1


def test_the_sweep_of_the_slowest_process_is_what_counts_and_silence_counts_too(
    stats: WorkerStats, clock: Clock
):
    report(stats, "a", sweep_age=0.1)
    report(stats, "b", sweep_age=4.0)
    clock.now += 3
    assert value(scraped(stats), "callspool_worker_sweep_lag_seconds") == 7


def test_what_is_no_report_is_passed_over(stats: WorkerStats):
    for line in (b"", b"noise", b"[1]", b'{"threads": "many"}'):
        stats.on_report("a", line)
    assert value(scraped(stats), "callspool_worker_threads") == 0


@pytest.mark.prometheus
def test_names_units_and_help_pass_promtool(stats: WorkerStats):
    report(stats, "a", in_flight={"default": 1}, limits={"default": 20.0})
    page = generate_latest(WorkerStatsCollector(stats, lambda: 1)).decode()
    checked = prometheus.promtool("check", "metrics", stdin=page)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_sweep_that_hangs_is_unhealthy_though_redis_answers(stats: WorkerStats, clock: Clock):
    asked = probes(stats, clock)
    report(stats, "a", sweep_age=600.0, wedged_for=0.2)  # Redis is away: no restart would help
    assert asked.healthz().is_well
    report(stats, "b", wedged_for=WEDGED - 1)
    assert asked.healthz().is_well
    clock.now += 2  # and not another word
    assert not asked.healthz().is_well
    assert "has not swept" in asked.healthz().text


def test_no_process_for_longer_than_a_restart_is_unhealthy(stats: WorkerStats, clock: Clock):
    alive = [1]
    asked = probes(stats, clock, lambda: alive[0])
    assert asked.healthz().is_well
    alive[0] = 0
    clock.now += DESERTED - 1
    assert asked.healthz().is_well
    clock.now += 2
    assert not asked.healthz().is_well


def test_it_is_ready_once_a_process_says_so_and_while_redis_answers(
    stats: WorkerStats, clock: Clock
):
    def away() -> None:
        raise QueueUnavailable("Redis does not answer")

    asked = probes(stats, clock)
    assert not asked.readyz().is_well
    report(stats, "a")
    assert asked.readyz().is_well
    assert Probes(stats, lambda: 2, away, clock).readyz().text == "Redis does not answer"
    clock.now += FRESH + 1
    assert not asked.readyz().is_well


class Still:
    def ages(self) -> tuple[float, float]:
        return 0.5, 0.25

    def connections(self) -> tuple[int, int]:
        return 3, 1

    @property
    def most(self) -> int:
        return 8

    def limits(self) -> dict[str, float]:
        return {"default": 20.0}


def test_a_process_counts_what_its_threads_do():
    pulse, begun, may_end = Heartbeat(4), threading.Barrier(3), threading.Event()

    def work(account: str) -> None:
        begun.wait(10)
        may_end.wait(10)
        pulse.count_accepted(1)

    busy = [
        threading.Thread(target=pulse.working(pulse.asking(work)), args=(account,))
        for account in ("default", "sales")
    ]
    for thread in busy:
        thread.start()
    begun.wait(10)
    during = pulse.take(Still(), Still(), Still())
    may_end.set()
    for thread in busy:
        thread.join()
    after = pulse.take(Still(), Still(), Still())
    assert (during.busy_threads, during.in_flight) == (2, {"default": 1, "sales": 1})
    assert (after.busy_threads, after.in_flight) == (0, {"default": 0, "sales": 0})
    assert (after.messages_accepted, after.threads, after.connections_busy) == (2, 12, 1)
    assert after.limits == {"default": 20.0}
    assert after.memory_bytes > 10_000_000
    assert after.open_fds > 3
    assert after.cpu_seconds > 0


def test_a_process_tells_it_at_once_and_again():
    told: list[bytes] = []
    twice = threading.Event()

    def tell(line: bytes) -> None:
        told.append(line)
        if len(told) == 2:
            twice.set()

    pulse = Heartbeat(4)
    reporter = Reporter(lambda: pulse.take(Still(), Still(), Still()), tell)
    reporter.start()
    assert twice.wait(20)
    reporter.stop()
    read = read_vitals(told[0])
    assert read is not None
    assert read.threads == 12


def test_a_port_that_is_taken_stops_the_worker_before_it_begins(tmp_path: Path, redis_url: str):
    port = redis_url.rpartition(":")[2].partition("/")[0]
    env = cli.environment(tmp_path, CALLSPOOL_REDIS_URL=redis_url, **cli.REAL)
    done = cli.call(["worker", "--metrics-port", port], env, tmp_path)
    assert done.returncode == 2
    assert "give another with --metrics-port" in done.stderr
    assert done.stderr.count("\n") == 1
