"""Many lanes, much that waits, and a small lane beside a large one."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.speed.contacts import BATCH, people
from benchmarks.speed.contenders import callspool
from benchmarks.speed.outcome import Finding, Options, Outcome, Tell, at_most, spread
from benchmarks.speed.senders import BACKLOG, FIRST_OF_BACKLOG, LANES, request
from benchmarks.speed.trial import WARM_UP, in_rig
from callspool import CallQueue
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.speed.contenders import Contender
    from benchmarks.speed.rig import Rig
    from benchmarks.speed.trial import Trial

POLL = 0.1
LIMIT = 1_800.0
ENQUEUED_AT_ONCE = 200_000


def pause(rig: Rig, campaign: str | None = None) -> None:
    """Pauses the campaign, or everything."""
    Steering([rig.client], "benchmark").pause(Selector(campaign=campaign))


def resume(rig: Rig) -> None:
    """Lets everything be sent again."""
    Steering([rig.client], "benchmark").resume(Selector())


def fill(rig: Rig, count: int, size: int, *, apart: bool = False) -> int:
    """Enqueues strangers in pieces, and waits until all are accepted; the first one's number.

    ``apart``: in the campaign `BACKLOG`, by the sender `callspool_lanes`.
    """
    first = rig.strangers(count) + (FIRST_OF_BACKLOG if apart else 0)
    for start in range(first, first + count, ENQUEUED_AT_ONCE):
        piece = min(ENQUEUED_AT_ONCE, first + count - start)
        rig.producer.send(start, piece, size)
        wait_until_accepted(rig)
    return first


def wait_until_accepted(rig: Rig) -> None:
    """Waits until no message of call requests is left."""
    deadline = time.monotonic() + LIMIT
    while rig.summary().spooled:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not accepted after {LIMIT} s\n{rig.logs()}")
        time.sleep(POLL)


APART = 0.25
"""How far from the best a rate may be."""

SMALL, LIMIT = 20, 5.0
"""Documents of the small lane, and the seconds until they are created."""

PATIENCE = 600.0


def run(options: Options, tell: Tell) -> Outcome:
    """Returns the same number of documents in one lane, in ten, in thousands; all batches full."""
    most = options.pick(10, 100, 1_000, 20_000)
    counts = sorted({1, 10, min(1_000, most), most})
    documents = max(options.pick(1_000, 20_000, 200_000, 2_000_000), most * BATCH)
    trials: dict[str, list[Trial]] = {f"{count:,}": [] for count in counts}
    for number in range(options.rounds):
        for count in counts if number % 2 == 0 else reversed(counts):
            with options.rig(_in_lanes(options.settings, count)) as rig:
                rig.warm_up(WARM_UP, BATCH)
                trials[f"{count:,}"].append(in_rig(rig, documents, BATCH))
            tell(_told(f"{count:,} lanes", trials[f"{count:,}"][-1]))
    return _outcome("lanes", "Lanes with full batches", "lanes", trials, documents)


def run_waiting(options: Options, tell: Tell) -> Outcome:
    """Measures how new documents pass while ever more of a paused campaign wait."""
    most = options.pick(500, 50_000, 1_000_000, 5_000_000)
    documents = options.pick(500, 20_000, 100_000, 300_000)
    trials: dict[str, list[Trial]] = {}
    with options.rig(_in_lanes(options.settings, 1)) as rig:
        rig.warm_up(WARM_UP, BATCH)
        pause(rig, BACKLOG)
        before = 0
        for waiting in (0, most // 5, most):
            fill(rig, waiting - before, BATCH * 5, apart=True)
            before = waiting
            rig.let_it_rest()
            for _ in range(options.rounds):
                _wait_until_it_rests(rig, waiting)
                trial = in_rig(rig, documents, BATCH * 5, waiting)
                trials.setdefault(f"{waiting:,}", []).append(trial)
                tell(_told(f"{waiting:,} waiting", trial))
    return _outcome("waiting", "Documents pass others that wait", "waiting", trials, documents)


def run_beside(options: Options, tell: Tell) -> Outcome:
    """A small lane, enqueued last: behind a large one in the ledger, behind one that a producer has
    just enqueued, and behind one that is in the stream still, since no worker was at work."""
    large = options.pick(1_000, 50_000, 1_000_000, 1_000_000)
    found = {
        "accepted": beside_accepted(options, large),
        "enqueued": beside_enqueued(options, large),
        "spooled": beside_spooled(options, large),
    }
    tell(", ".join(f"{case}: {seconds:.1f} s" for case, seconds in found.items()))
    words = {
        "accepted": "waits in the ledger",
        "enqueued": "was enqueued just before",
        "spooled": "no worker has accepted yet",
    }
    return Outcome(
        part="beside",
        title=f"A lane of {SMALL} documents beside one of {large:,}",
        rows=[
            ("the large lane", "seconds until the small one is created"),
            *((words[case], f"{seconds:.1f}") for case, seconds in found.items()),
        ],
        findings=[
            at_most(f"{SMALL} documents beside {large:,}, which {words[case]}: s", seconds, LIMIT)
            for case, seconds in found.items()
        ],
        figures={"seconds": found, "large": large},
    )


def beside_accepted(options: Options, large: int) -> float:
    """Returns seconds of the small lane while the large one, accepted long ago, is being sent."""
    with options.rig(callspool(**options.settings)) as rig:
        rig.warm_up(WARM_UP, BATCH)
        pause(rig)
        fill(rig, large, BATCH * 5)
        resume(rig)
        return _small_lane(rig)


def beside_enqueued(options: Options, large: int) -> float:
    """Returns seconds of the small lane right after a producer has enqueued the large one."""
    with options.rig(callspool(**options.settings)) as rig:
        rig.warm_up(WARM_UP, BATCH)
        rig.producer.send(rig.strangers(large), large, BATCH * 5)
        return _small_lane(rig)


def beside_spooled(options: Options, large: int) -> float:
    """Seconds of the small lane, from when the workers go on, which accepted nothing meanwhile."""
    with options.rig(callspool(**options.settings)) as rig:
        rig.warm_up(WARM_UP, BATCH)
        with rig.workers_stopped():
            rig.producer.send(rig.strangers(large), large, BATCH * 5)
            space = _enqueue_small(rig)
        return _seconds_until_created(rig, space, time.monotonic())


def _small_lane(rig: Rig) -> float:
    began = time.monotonic()
    return _seconds_until_created(rig, _enqueue_small(rig), began)


def _enqueue_small(rig: Rig) -> str:
    first = rig.strangers(SMALL)
    space = f"8KZSMALLSPACE{first}"
    with CallQueue(rig.place.redis_url) as queue:
        queue.enqueue(request(people(first, SMALL), space))
    return space


def _seconds_until_created(rig: Rig, space: str, began: float) -> float:
    while time.monotonic() - began < PATIENCE:
        found = rig.api.counted(spaces=True).spaces.get(space)
        if found and found[0] >= SMALL:
            return found[2] - began
        time.sleep(0.05)
    raise RuntimeError(f"the small lane was not created in {PATIENCE} s\n{rig.logs()}")


def _in_lanes(settings: Mapping[str, str], lanes: int) -> Contender:
    note = f"{lanes} lanes"
    return callspool("callspool-lanes", note, **{**settings, LANES: str(lanes)})


def _wait_until_it_rests(rig: Rig, waiting: int) -> None:
    wait_until_accepted(rig)
    rig.settle(waiting=waiting)


def _told(what: str, trial: Trial) -> str:
    cpu = f"CPU {trial.cpu:.2f} s and Redis {trial.redis_cpu_each:.2f} s for 100,000"
    return f"{what}: {trial.rate:,.0f} documents/s, {cpu}"


def _outcome(
    part: str, title: str, column: str, trials: dict[str, list[Trial]], documents: int
) -> Outcome:
    rates = {name: [trial.rate for trial in found] for name, found in trials.items()}
    best = max(median(found) for found in rates.values())
    findings = []
    for name, found in rates.items():
        share = median(found) / best
        findings.append(
            Finding(f"{name} {column}: share of the best rate", f"≥ {1 - APART:.0%}",
                    f"{share:.0%}", share >= 1 - APART)
        )  # fmt: skip
    rows = [
        (column, "documents/s", "CPU of producer and workers, 100,000", "CPU of Redis, 100,000"),
        *(
            (name, spread(rates[name]), spread([trial.cpu for trial in found], "{:.2f} s"),
             spread([trial.redis_cpu_each for trial in found], "{:.2f} s"))
            for name, found in trials.items()
        ),
    ]  # fmt: skip
    figures = {"trials": trials, "documents": documents}
    return Outcome(part, title, rows, findings, [f"{documents:,} documents each time"], figures)
