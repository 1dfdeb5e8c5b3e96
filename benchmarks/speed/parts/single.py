"""One contact a request: enqueued one by one, and from many threads or tasks at once."""

from __future__ import annotations

from statistics import median

from benchmarks.speed.compare import Comparison, rate
from benchmarks.speed.contenders import DRAMATIQ, callspool
from benchmarks.speed.outcome import Options, Outcome, Tell, at_least
from benchmarks.speed.senders import CONCURRENT


def run(options: Options, tell: Tell) -> Outcome:
    """One producer thread."""
    ours = callspool("callspool-single", "CallQueue.enqueue, one by one", **options.settings)
    comparison = Comparison(
        [
            (ours, options.pick(20, 4_000, 30_000, 120_000)),
            (DRAMATIQ, options.pick(20, 1_000, 5_000, 20_000)),
        ],
        1,
    )
    comparison.run(options.rounds, tell)
    ratio = median(comparison.ratio(ours.key, "dramatiq", rate))
    return Outcome(
        part="single",
        title="One contact a request, one producer thread, each enqueued by itself",
        rows=comparison.rows(),
        findings=[at_least("documents/s, times those of plain dramatiq", ratio, 4.0)],
        notes=comparison.notes(),
        figures={"trials": comparison.figures()},
    )


def run_concurrent(options: Options, tell: Tell) -> Outcome:
    """Many threads, and many tasks of one event loop; each waits until its contact is stored."""
    threads = callspool("callspool-threads", f"CallQueue.enqueue in {CONCURRENT} threads at once",
                        **options.settings)  # fmt: skip
    tasks = callspool("callspool-tasks", f"AsyncCallQueue.enqueue in {CONCURRENT} tasks at once",
                      **options.settings)  # fmt: skip
    documents = options.pick(100, 10_000, 80_000, 300_000)
    comparison = Comparison(
        [(threads, documents), (tasks, documents),
         (DRAMATIQ, options.pick(20, 1_000, 5_000, 20_000))],
        1,
    )  # fmt: skip
    comparison.run(options.rounds, tell)
    return Outcome(
        part="threads",
        title=f"One contact a request, {CONCURRENT} threads or tasks enqueue at once",
        rows=comparison.rows(),
        findings=[
            at_least(f"{name}: documents/s, times those of plain dramatiq",
                     median(comparison.ratio(key, "dramatiq", rate)), 15.0)
            for name, key in (("threads", threads.key), ("tasks", tasks.key))
        ],
        notes=comparison.notes(),
        figures={"trials": comparison.figures()},
    )  # fmt: skip
