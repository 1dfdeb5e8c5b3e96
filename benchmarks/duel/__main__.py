"""`make duel`, or `python -m benchmarks.duel --help`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.duel.match import Rules, play
from benchmarks.duel.ours import Callspool
from benchmarks.duel.picture import picture
from benchmarks.duel.rivals.celery_rival import CeleryRival
from benchmarks.duel.rivals.dramatiq_rival import DramatiqRival
from benchmarks.duel.roll import call_the_roll
from benchmarks.duel.table import table

if TYPE_CHECKING:
    from benchmarks.duel.contestant import Contestant
    from benchmarks.duel.outcome import Outcome

CONTESTANTS: dict[str, Contestant] = {
    "dramatiq": DramatiqRival(
        "dramatiq",
        "a message and a POST for each contact, 64 at a time, Retries",
        size=1,
        threads=32,
    ),
    "dramatiq-100": DramatiqRival(
        "dramatiq, 100 a message",
        "a POST for each message of 100 contacts, 4 at a time, Retries",
        size=100,
        threads=2,
    ),
    "celery": CeleryRival(
        "celery-batches",
        "celery gathers 100 tasks for a POST, 4 at a time, acks_late, retries as in its docs",
        concurrency=2,
    ),
    "callspool": Callspool("callspool", "batches of 100, 4 at a time", threads=2),
}


def main() -> int:
    """Exit code 1 where callspool lost somebody, or called somebody twice; 2 for wrong use."""
    options = _parser().parse_args()
    try:
        roll = call_the_roll(options.contacts, options.seed)
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    rules = Rules(options.seed, options.kills, options.redis_away, options.limit)
    outcomes = []
    for key in options.only or CONTESTANTS:
        with tempfile.TemporaryDirectory(prefix="callspool-duel-") as temporary:
            home = (options.keep / key) if options.keep else Path(temporary)
            home.mkdir(parents=True, exist_ok=True)
            print(f"{key} …", file=sys.stderr)
            outcomes.append(play(CONTESTANTS[key], roll, rules, home, _tell))
    print(table(outcomes))
    _write(options, outcomes)
    ours = [outcome.verdict for outcome in outcomes if outcome.name == "callspool"]
    return int(any(verdict.lost or verdict.called_twice for verdict in ours))


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr)


def _write(options: argparse.Namespace, outcomes: list[Outcome]) -> None:
    if options.json:
        report = {
            "contacts": options.contacts,
            "seed": options.seed,
            "kills": options.kills,
            "redis_away_seconds": options.redis_away,
            "outcomes": [asdict(outcome) for outcome in outcomes],
        }
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    if options.picture:
        options.picture.write_text(picture(outcomes), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.duel",
        description="The same contacts, faults and kills for each way of calling them.",
    )
    parser.add_argument("--contacts", type=int, default=5000, help="people to call (5000)")
    parser.add_argument("--seed", type=int, default=7, help="the same faults again (7)")
    parser.add_argument("--kills", type=int, default=4, help="workers killed, in turn (4)")
    parser.add_argument(
        "--redis-away", type=float, default=3.0, help="seconds without Redis, 0 for never (3)"
    )
    parser.add_argument("--limit", type=float, default=240.0, help="seconds for each (240)")
    parser.add_argument("--only", action="append", choices=CONTESTANTS, help="repeatable")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--picture", type=Path, help="draw the outcome into this SVG file")
    parser.add_argument("--keep", type=Path, help="keep logs in this directory")
    return parser


if __name__ == "__main__":
    os.environ.pop("CALLSPOOL_CONFIG", None)
    sys.exit(main())
