"""`make duel`, or `python -m benchmarks.duel --help`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.duel.match import Rules, play
from benchmarks.duel.ours import Callspool
from benchmarks.duel.rivals.contestants import CeleryRival, DramatiqRival
from benchmarks.duel.roll import MOST, call_the_roll
from benchmarks.duel.rules import play_rules, rules_table
from benchmarks.duel.table import table

if TYPE_CHECKING:
    from benchmarks.duel.rules import Obedience
    from benchmarks.duel.stage import Contestant
    from benchmarks.duel.verdict import Outcome

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
    """Returns 1 where callspool lost or doubled a call or broke a rule, and 2 for wrong use."""
    options = _parser().parse_args()
    chosen = list(dict.fromkeys(options.only or CONTESTANTS))
    wrong = _wrong_use(options, chosen)
    if wrong:
        print(f"Error: {wrong}", file=sys.stderr)
        return 2
    outcomes = _play_faults(options, chosen) if options.part != "rules" else []
    obedience = _play_rules(options, chosen) if options.part != "faults" else []
    _write(options, outcomes, obedience)
    ours = [outcome.verdict for outcome in outcomes if outcome.name == "callspool"]
    failed = any(verdict.lost or verdict.called_twice for verdict in ours)
    return int(failed or any(one.wrong for one in obedience if one.name == "callspool"))


def _play_faults(options: argparse.Namespace, chosen: list[str]) -> list[Outcome]:
    roll = call_the_roll(options.contacts, options.seed)
    rules = Rules(options.seed, options.kills, options.redis_away, options.limit)
    outcomes = []
    for key in chosen:
        with tempfile.TemporaryDirectory(prefix="callspool-duel-") as temporary:
            home = (options.keep.resolve() / key) if options.keep else Path(temporary)
            home.mkdir(parents=True, exist_ok=options.keep is None)
            print(f"{key} …", file=sys.stderr)
            outcomes.append(play(CONTESTANTS[key], roll, rules, home, _tell))
    print(table(outcomes))
    return outcomes


def _play_rules(options: argparse.Namespace, chosen: list[str]) -> list[Obedience]:
    print("rules, all at once …", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="callspool-duel-") as temporary:
        root = options.keep.resolve() / "rules" if options.keep else Path(temporary)
        contestants = [(CONTESTANTS[key], root / key) for key in chosen]
        outcomes = play_rules(contestants, options.seed)
    print(f"\n{rules_table(outcomes)}")
    return outcomes


def _wrong_use(options: argparse.Namespace, chosen: list[str]) -> str | None:
    """What would fail only after minutes, or count wrongly."""
    if not 1 <= options.contacts <= MOST:
        return f"--contacts can be 1 to {MOST}"
    if "celery" in chosen and find_spec("celery_batches") is None:
        return "celery-batches is not installed: say make duel"
    if options.json and not options.json.parent.is_dir():
        return f"there is no directory {options.json.parent}: make it, or name another"
    if options.keep and any((options.keep / key).exists() for key in [*chosen, "rules"]):
        return f"{options.keep} holds an earlier duel: name another directory"
    return None


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr)


def _write(
    options: argparse.Namespace, outcomes: list[Outcome], obedience: list[Obedience]
) -> None:
    if options.json:
        report = {
            "contacts": options.contacts,
            "seed": options.seed,
            "kills": options.kills,
            "redis_away_seconds": options.redis_away,
            "outcomes": [asdict(outcome) for outcome in outcomes],
            "rules": [asdict(one) for one in obedience],
        }
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.duel",
        description="The same contacts, faults and kills for each way of calling them.",
    )
    parser.add_argument("--contacts", type=int, default=5000, help="people to call (5000)")
    parser.add_argument("--seed", type=int, default=34, help="the same faults again (34)")
    parser.add_argument("--kills", type=int, default=4, help="workers killed, in turn (4)")
    parser.add_argument(
        "--redis-away", type=float, default=3.0, help="seconds without Redis, 0 for never (3)"
    )
    parser.add_argument("--limit", type=float, default=480.0, help="seconds for each (480)")
    parser.add_argument("--only", action="append", choices=CONTESTANTS, help="repeatable")
    parser.add_argument("--part", choices=("faults", "rules"), help="one of both parts only")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--keep", type=Path, help="keep logs in this directory")
    return parser


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)  # through every context manager, so that no process is left behind


if __name__ == "__main__":
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, _end)
    sys.exit(main())
