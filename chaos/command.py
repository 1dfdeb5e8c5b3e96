"""The command line: `python -m chaos`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click
import msgspec

from chaos.mix import MixError, parse_mix
from chaos.run import run, to_stderr
from chaos.schedule import Plan, draw, load_schedule


@click.command()
@click.option("--minutes", default=1.0, show_default=True, help="How long faults happen.")
@click.option("--seed", default=1, show_default=True, help="The same seed, the same schedule.")
@click.option("--documents", default=20_000, show_default=True, help="Documents to enqueue.")
@click.option(
    "--mix",
    default="",
    metavar="MIX",
    help="Changes the mix, as in redis=0,kill_child=30,answers=2: a kind's number is its rate"
    " (events a minute, or percent of the requests), a family's multiplies its kinds (workers,"
    " redis, api, answers, reads); 'none,…' begins with nothing.",
)
@click.option(
    "--reading-back/--no-reading-back",
    default=True,
    show_default=True,
    help="Whether the API lets runs and tasks be read; else what is doubtful stays in doubt.",
)
@click.option("--supervisors", default=2, show_default=True, help="`callspool worker` processes.")
@click.option(
    "--fsync",
    type=click.Choice(["everysec", "always"]),
    default="everysec",
    show_default=True,
    help="Redis' appendfsync.",
)
@click.option(
    "--replay",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A schedule.json to play instead; events may have been taken out of it.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/chaos"),
    show_default=True,
    help="Where report.json, schedule.json and, if a promise was broken, the logs are left.",
)
@click.option("--dry-run", is_flag=True, help="Write the schedule and stop.")
def chaos(
    minutes: float,
    seed: int,
    documents: int,
    mix: str,
    reading_back: bool,
    supervisors: int,
    fsync: str,
    replay: Path | None,
    out: Path,
    dry_run: bool,
) -> None:
    """Break everything at random while documents flow, then count who was lost or called twice.

    Exit codes: 0 all promises kept, 1 one was broken, 2 wrong use.
    """
    try:
        plan = Plan(
            seed=seed,
            seconds=minutes * 60,
            documents=documents,
            mix=parse_mix(mix),
            reading_back=reading_back,
            supervisors=supervisors,
            fsync=fsync,
        )
        schedule = load_schedule(replay) if replay else draw(plan)
    except (MixError, msgspec.DecodeError) as error:
        raise click.UsageError(str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    schedule.save(out / "schedule.json")
    to_stderr(f"{len(schedule.events)} events are in {out / 'schedule.json'}")
    if dry_run:
        return
    # So that what was started is ended, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = run(schedule, keep=out, say=to_stderr)
    report.save(out / "report.json")
    click.echo("\n".join(report.lines()))
    sys.exit(0 if report.good else 1)


def main() -> None:
    """Entry point of `python -m chaos`."""
    chaos(prog_name="python -m chaos")
