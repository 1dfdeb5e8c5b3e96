"""`make bench`, or `python -m benchmarks.speed --help`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.machine import describe, disturbance
from benchmarks.speed.outcome import SIZES, Options, Outcome, document, machine_line, markdown
from benchmarks.speed.parts import (
    batches,
    guarded,
    intake,
    lanes,
    memory,
    reads,
    single,
    steps,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.speed.outcome import Tell

PARTS: dict[str, Callable[[Options, Tell], Outcome]] = {
    "batches": batches.run,
    "outcomes": batches.run_outcomes,
    "guarded": guarded.run,
    "single": single.run,
    "threads": single.run_concurrent,
    "latency": single.run_latency,
    "lanes": lanes.run,
    "waiting": lanes.run_waiting,
    "beside": lanes.run_beside,
    "memory": memory.run,
    "flat": memory.run_flat,
    "reads": reads.run,
    "intake": intake.run,
    "steps": steps.run,
    "instructions": steps.run_instructions,
}


def main() -> int:
    """Runs the parts; returns 1 where ``--strict`` misses a target, 2 for wrong use."""
    given = _parser().parse_args()
    if given.json and not given.json.parent.is_dir():
        print(f"Error: there is no directory {given.json.parent}: make it, or name another")
        return 2
    only = tuple(given.only or ())
    options = Options(given.size, given.rounds, dict(given.set or ()), only)
    machine, warning = describe(), disturbance()
    print(f"{machine_line(machine)}\n")
    if warning:
        print(f"Warning: {warning}.\n")
    outcomes = []
    for name in given.part or PARTS:
        print(f"{name} …", file=sys.stderr)
        outcomes.append(PARTS[name](options, _tell))
        print(markdown(outcomes[-1]), flush=True)
        if given.json:  # after each part, since the next one may take an hour
            given.json.write_bytes(document(machine, warning, options, outcomes))
    missed = [one for outcome in outcomes for one in outcome.findings if not one.met]
    print(f"{len(missed)} targets were missed." if missed else "Every target was met.")
    return int(bool(missed) and given.strict)


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("CALLSPOOL_"):
        raise argparse.ArgumentTypeError("say CALLSPOOL_NAME=value")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description="How fast callspool is, beside other ways of doing the same.",
        epilog="quick takes a minute a part, normal some ten, full up to an hour.",
    )
    parser.add_argument("--part", action="append", choices=PARTS, help="repeatable (all)")
    parser.add_argument("--size", choices=SIZES, default="quick", help="how much work (quick)")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many (3)")
    parser.add_argument(
        "--set", action="append", type=_setting, metavar="CALLSPOOL_NAME=value",
        help="a setting of callspool's workers, repeatable",
    )  # fmt: skip
    parser.add_argument("--only", action="append", help="a contender's key, repeatable (all)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if a target is missed")
    return parser


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)  # through every context manager, so that no process is left behind


if __name__ == "__main__":
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, _end)
    sys.exit(main())
