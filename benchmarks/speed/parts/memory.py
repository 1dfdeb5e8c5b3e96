"""Redis' memory for each document, and whether anything grows as work goes on."""

from __future__ import annotations

import time
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.speed.contacts import BATCH, BYTES
from benchmarks.speed.contenders import callspool
from benchmarks.speed.outcome import Options, Outcome, Tell, at_most
from benchmarks.speed.parts.lanes import fill, pause, wait_until_accepted
from benchmarks.speed.trial import LIMIT, WARM_UP
from callspool_ledger import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.speed.rig import Rig

MEGABYTE = 1_000_000
BESIDES = 80
"""Bytes that a settled document may take, and a waiting one besides its JSON."""

WINDOW = 10
"""Seconds that settled documents are remembered while it is seen whether memory grows."""

SAMPLES, SHOWN = 30, 3
"""So often memory is looked at, and every third look is shown: what is remembered rises and falls,
since it is forgotten a generation at a time."""

MOST_GROWTH = 1.10
"""How much larger the last third of the samples may be than the third before it."""

MOST_KEPT = 8.0
"""Bytes by which data may grow for each document that passes between these thirds, a tenth of what
a settled one takes. What is remembered at a moment follows the pace of the last seconds."""


def run(options: Options, tell: Tell) -> Outcome:
    """Returns documents that were created, with state, run and task id; and documents that wait."""
    documents = options.pick(1_000, 100_000, 1_000_000, 2_000_000)
    settled = settled_bytes(options, documents)
    waiting = waiting_bytes(options, documents)
    tell(f"settled {settled:.1f} bytes, waiting {waiting:.1f} bytes")
    enough = documents >= 500_000
    return Outcome(
        part="memory",
        title=f"Redis' memory with {documents:,} documents",
        rows=[
            ("", "bytes a document"),
            ("settled, with state, run and task id", f"{settled:.1f}"),
            ("waiting", f"{waiting:.1f}"),
            ("of it JSON", f"{BYTES}"),
        ],
        findings=[
            at_most("bytes of a settled document", settled, BESIDES),
            at_most("bytes of a waiting document besides its JSON", waiting - BYTES, BESIDES),
        ],
        notes=[] if enough else ["too few documents: what is there once weighs too much"],
        figures={"documents": documents, "settled": settled, "waiting": waiting},
    )


def settled_bytes(options: Options, documents: int) -> float:
    """Bytes of each document when all are created."""
    with options.rig(callspool(**options.settings)) as rig:
        rig.warm_up(WARM_UP, BATCH)
        before = rig.redis_memory()
        rig.call(documents, BATCH * 5, LIMIT)
        rig.settle()
        return _when_it_rests(rig, before) / documents


def waiting_bytes(options: Options, documents: int) -> float:
    """Bytes of each document when all are accepted, and none is sent."""
    with options.rig(callspool(**options.settings)) as rig:
        rig.warm_up(WARM_UP, BATCH)
        pause(rig)
        before = rig.redis_memory()
        fill(rig, documents, BATCH * 5)
        wait_until_accepted(rig)
        return _when_it_rests(rig, before) / documents


class Sample(NamedTuple):
    """Bytes: of the workers, of the producer, of the server's data and its process, of streams."""

    workers: int
    producer: int
    data: int
    server: int
    streams: int


def run_flat(options: Options, tell: Tell) -> Outcome:
    """Passes documents in portions, which are forgotten after a short window."""
    documents = options.pick(1_000, 200_000, 2_000_000, 5_000_000)
    settings = {**options.settings, "CALLSPOOL_DEDUPE_WINDOW": str(WINDOW)}
    samples: list[Sample] = []
    with options.rig(callspool(**settings)) as rig:
        rig.warm_up(WARM_UP, BATCH)
        for _ in range(SAMPLES):
            rig.call(documents // SAMPLES, BATCH * 5, LIMIT)
            rig.settle()
            samples.append(_sample(rig))
            if len(samples) % SHOWN == 0:
                tell(", ".join(f"{name} {value / MEGABYTE:.1f} MB"
                               for name, value in samples[-1]._asdict().items()))  # fmt: skip
    enough = documents >= 2_000_000
    return Outcome(
        part="flat",
        title=f"Memory over {documents:,} documents, forgotten after {WINDOW} s",
        rows=[
            ("after documents", *(f"{name}, MB" for name in Sample._fields)),
            *(
                (f"{number * (documents // SAMPLES):,}",
                 *(f"{value / MEGABYTE:.1f}" for value in samples[number - 1]))
                for number in range(SHOWN, SAMPLES + 1, SHOWN)
            ),
        ],
        findings=[
            at_most("data: bytes more in the last third of the samples, each document between",
                    _more([sample.data for sample in samples]) * 3 / documents, MOST_KEPT),
            *(at_most(f"{name}: last third of the samples, times the one before",
                    _growth([getattr(sample, name) for sample in samples]), MOST_GROWTH, "{:.2f}")
              for name in ("workers", "producer", "server", "streams")),
        ],
        notes=[] if enough else ["too few documents to tell a plateau from a start"],
        figures={"documents": documents, "samples": [sample._asdict() for sample in samples]},
    )  # fmt: skip


def _growth(values: Sequence[int]) -> float:
    before, last = _thirds(values)
    # What is smaller than a megabyte, as a stream at rest, grows by less than anybody would notice.
    return last / max(MEGABYTE, before)


def _more(values: Sequence[int]) -> float:
    before, last = _thirds(values)
    return last - before


def _thirds(values: Sequence[int]) -> tuple[float, float]:
    """The means of the third before the last one, and of the last."""
    third = len(values) // 3
    return mean(values[-2 * third : -third]), mean(values[-third:])


def _sample(rig: Rig) -> Sample:
    streams = (keys.stream(keys.REQUESTS), keys.stream(keys.WAKEUPS))
    return Sample(
        workers=rig.worker_memory(),
        producer=rig.producer.memory(),
        data=rig.redis_memory(),
        server=int(rig.client.info("memory")["used_memory_rss"]),
        streams=sum(int(rig.client.memory_usage(key) or 0) for key in streams),
    )


def _when_it_rests(rig: Rig, before: int) -> int:
    """Bytes more than before, once nothing is freed in the background any more."""
    last = -1
    while (found := rig.redis_memory()) != last and abs(found - last) > MEGABYTE // 10:
        last = found
        time.sleep(0.5)
    return found - before
