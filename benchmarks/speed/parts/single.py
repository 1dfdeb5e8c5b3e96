"""One contact a request: enqueued one by one, and from many threads or tasks at once."""

from __future__ import annotations

from benchmarks.speed.contenders import DRAMATIQ, Contender, callspool
from benchmarks.speed.outcome import Finding, Options, Outcome, Tell, at_least
from benchmarks.speed.senders import CONCURRENT
from benchmarks.speed.trial import Comparison, rate


def run(options: Options, tell: Tell) -> Outcome:
    """One producer thread."""
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
    """Many threads, and many tasks of one event loop; each waits until its contact is stored."""
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
