"""How long operators wait for an answer while a lot is in the ledger."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.speed.contacts import person
from benchmarks.speed.contenders import callspool
from benchmarks.speed.outcome import Options, Outcome, Tell, at_most, spread
from benchmarks.speed.parts.lanes import fill, pause
from benchmarks.speed.senders import LANES
from benchmarks.speed.trial import WARM_UP

if TYPE_CHECKING:
    from benchmarks.speed.rig import Rig

LONGEST = 120.0
"""Milliseconds beyond those of Python's own start."""

SOMEBODY = "DOCUMENT_ID"
COMMANDS = (
    ("status", "--json"),
    ("show", SOMEBODY, "--json"),
    ("lanes", "--json"),
    ("lanes",),
)
CALLSPOOL = (str(Path(sys.executable).with_name("callspool")),)
"""As it is typed: `python -m callspool` looks the command up among all that is installed."""
START = ("-c", "pass")


def run(options: Options, tell: Tell) -> Outcome:
    """Returns the commands, typed again and again beside many documents that wait in many lanes."""
    documents = options.pick(1_000, 50_000, 1_000_000, 5_000_000)
    lanes = options.pick(10, 1_000, 20_000, 20_000)
    each, times = documents // lanes, options.pick(1, 5, 5, 5)
    settings = {**options.settings, LANES: str(lanes)}
    taken: dict[str, list[float]] = {}
    with options.rig(callspool("callspool-lanes", **settings)) as rig:
        rig.warm_up(WARM_UP, each)
        pause(rig)
        somebody = person(fill(rig, documents, each))["document_id"]
        rig.let_it_rest()
        for command in COMMANDS:
            given = (somebody if word == SOMEBODY else word for word in command)
            words = (*CALLSPOOL, *given)
            _milliseconds(rig, words)  # as installing does, this compiles what it needs
            taken[" ".join(command)] = [_milliseconds(rig, words) for _ in range(times)]
        version = median(_milliseconds(rig, (*CALLSPOOL, "--version")) for _ in range(times))
        start = median(_milliseconds(rig, START) for _ in range(times))
    tell(", ".join(f"{name}: {median(found):.0f} ms" for name, found in taken.items()))
    return Outcome(
        part="reads",
        title=f"Commands beside {documents:,} documents in {lanes:,} lanes",
        rows=[("command", "ms"), *((name, spread(found)) for name, found in taken.items())],
        findings=[
            at_most(
                f"callspool {name}: ms beyond Python's start",
                median(found) - start,
                LONGEST,
                "{:.0f}",
            )
            for name, found in taken.items()
        ],
        notes=[f"python -c pass took {start:.0f} ms, callspool --version {version:.0f} ms"],
        figures={"milliseconds": taken, "documents": documents, "lanes": lanes},
    )


def _environment(rig: Rig) -> dict[str, str]:
    """Modules are compiled once, as where callspool was installed."""
    kept = rig.contender.environment(rig.place)
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPYCACHEPREFIX": str(rig.place.home / "compiled")}


def _milliseconds(rig: Rig, command: tuple[str, ...]) -> float:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, *command],
        env=_environment(rig),
        cwd=rig.place.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return (time.monotonic() - began) * 1000
