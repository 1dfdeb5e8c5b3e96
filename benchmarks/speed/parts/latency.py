"""An idle system, one contact: from ``enqueue`` until the API has it."""

from __future__ import annotations

import random
import time

from benchmarks.speed.contacts import people
from benchmarks.speed.contenders import callspool
from benchmarks.speed.outcome import Options, Outcome, Tell, at_most, quantile
from benchmarks.speed.senders import request
from callspool import CallQueue

LIMIT = 30.0
CASES = (("1.0", 1_150.0), ("0", 60.0))
"""CALLSPOOL_LINGER, and the milliseconds that 99 of 100 may take."""


def run(options: Options, tell: Tell) -> Outcome:
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
