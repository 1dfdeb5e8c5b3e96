"""One contact a request: one by one, from many threads or tasks at once, and in an idle system."""

from __future__ import annotations

import random
import time

from benchmarks.speed.contacts import people
from benchmarks.speed.contenders import DRAMATIQ, Contender, callspool
from benchmarks.speed.outcome import Finding, Options, Outcome, Tell, at_least, at_most, quantile
from benchmarks.speed.senders import CONCURRENT, request
from benchmarks.speed.trial import Comparison, rate
from callspool import CallQueue


def run(options: Options, tell: Tell) -> Outcome:
    """Returns one producer thread."""
    ours = callspool("callspool-single", "CallQueue.enqueue, one by one", **options.settings)
    comparison = _compared([(ours, options.pick(20, 4_000, 30_000, 120_000))], options, tell)
    return Outcome(
        part="single",
        title="One contact a request, one producer thread, each enqueued by itself",
        rows=comparison.rows(),
        findings=_times_dramatiq(comparison, {ours.key: "documents/s"}, 4.0),
        notes=comparison.notes(),
        figures={"trials": comparison.figures()},
    )


def run_concurrent(options: Options, tell: Tell) -> Outcome:
    """Measures many threads, and many tasks of one loop; each waits until its contact is stored."""
    documents = options.pick(100, 10_000, 80_000, 300_000)
    notes = {
        "callspool-threads": f"CallQueue.enqueue in {CONCURRENT} threads at once",
        "callspool-tasks": f"AsyncCallQueue.enqueue in {CONCURRENT} tasks at once",
    }
    ours = [(callspool(key, note, **options.settings), documents) for key, note in notes.items()]
    comparison = _compared(ours, options, tell)
    names = {"callspool-threads": "threads: documents/s", "callspool-tasks": "tasks: documents/s"}
    return Outcome(
        part="threads",
        title=f"One contact a request, {CONCURRENT} threads or tasks enqueue at once",
        rows=comparison.rows(),
        findings=_times_dramatiq(comparison, names, 15.0),
        notes=comparison.notes(),
        figures={"trials": comparison.figures()},
    )


def _compared(ours: list[tuple[Contender, int]], options: Options, tell: Tell) -> Comparison:
    comparison = Comparison([*ours, (DRAMATIQ, options.pick(20, 1_000, 5_000, 20_000))], 1)
    comparison.run(options, tell)
    return comparison


def _times_dramatiq(comparison: Comparison, names: dict[str, str], target: float) -> list[Finding]:
    ratios = {name: comparison.ratio(key, "dramatiq", rate) for key, name in names.items()}
    return [
        at_least(f"{name}, times those of plain dramatiq", ratio, target)
        for name, ratio in ratios.items()
        if ratio is not None
    ]


LIMIT = 30.0
CASES = (("1.0", 1_150.0), ("0", 60.0))
"""CALLSPOOL_LINGER, and the milliseconds that 99 of 100 may take."""


def run_latency(options: Options, tell: Tell) -> Outcome:
    """Contacts one by one, each in a system that has been idle for a while."""
    rows: list[tuple[str, ...]] = [("CALLSPOOL_LINGER", "p50 ms", "p99 ms", "longest", "contacts")]
    findings, figures = [], {}
    for linger, target in CASES:
        count = options.pick(2, 20, 120, 600) if linger != "0" else options.pick(3, 60, 400, 2_000)
        found = measure(options, linger, count)
        p50, p99 = quantile(found, 0.5), quantile(found, 0.99)
        rows.append((linger, f"{p50:.1f}", f"{p99:.1f}", f"{max(found):.1f}", str(count)))
        findings.append(at_most(f"LINGER {linger}: p99 from enqueue to POST, ms", p99, target))
        figures[linger] = found
        tell(f"LINGER {linger}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return Outcome(
        part="latency",
        title="One contact in an idle system: from enqueue until the API has it",
        rows=rows,
        findings=findings,
        notes=["the API notes when a request is complete; both clocks are the machine's one"],
        figures={"milliseconds": figures},
    )


def measure(options: Options, linger: str, count: int) -> list[float]:
    """Milliseconds of each contact."""
    pause = random.Random(7)
    found = []
    with (
        options.rig(callspool(**{**options.settings, "CALLSPOOL_LINGER": linger})) as rig,
        CallQueue(rig.place.redis_url) as queue,
    ):
        rig.warm_up(200, 100)
        called, first = rig.api.counted().documents, rig.strangers(count)
        for number in range(count):
            time.sleep(pause.uniform(0.1, 0.3))  # in no step with what looks now and then
            began = time.monotonic()
            queue.enqueue(request(people(first + number, 1)))
            called += 1
            found.append((rig.api.wait_for(called, LIMIT).last - began) * 1000)
    return found
