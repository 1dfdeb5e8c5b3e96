"""A short run of the whole harness; `make chaos` makes long ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chaos import mix
from chaos.processes import all_processes
from chaos.report import Report
from chaos.run import run
from chaos.schedule import Event, Plan, Schedule, draw
from chaos.stage import PREFIX

SECONDS = 16.0
DOCUMENTS = 1500
"""Each contact that the API refuses is found by halving, and each half is looked for first."""

LUCKY = {"api_drop", "redis_drop", "kill_child", "stop_child"}
"""What may find nothing to do at its moment: no open connection, no living process."""

MIX = "none,kill_child=10,redis_cut=60,api_cut=60"
LEFT_OUT = {"403", "drop_amid", "mixed_instead", "mixed_ahead", "mixed_behind"}
"""What makes a space or an account rest for longer than a short run lasts, or is held for good."""

ANSWERS = {
    kind: 2 * share for kind, share in {**mix.ANSWERS, **mix.READS}.items() if kind not in LEFT_OUT
}


def wanted() -> list[str]:
    """The kinds of faults that the default mix has."""
    return [kind for kind, what in mix.EVENTS.items() if what.rate]


def short(seed: int, *, reading_back: bool) -> Schedule:
    """Every kind of fault once, one after the other, and more of some from the seed."""
    plan = Plan(
        seed=seed,
        seconds=SECONDS,
        documents=DOCUMENTS,
        mix=mix.parse_mix(MIX) | ANSWERS,
        reading_back=reading_back,
        batch_size=20,
        fsync="always",
    )
    kinds = sorted(
        wanted(),
        key=lambda kind: -mix.EVENTS[kind].lasts[0],  # the one that lasts longest comes first
    )
    once = [
        Event(
            at=0.5 + 0.8 * place, kind=kind, seconds=max(mix.EVENTS[kind].lasts[0], 0.7), pick=0.3
        )
        for place, kind in enumerate(kinds)
        if not kind.endswith("_cut")
    ]
    drawn = draw(plan).events
    return Schedule(plan, sorted([*once, *drawn], key=lambda event: event.at))


def check(report: Report, lucky: frozenset[str] = frozenset()) -> None:
    """Every kind of fault came to pass, and no promise was broken."""
    assert report.good, "\n".join(report.lines())
    assert (report.lost, report.called_twice, report.wrongly_recorded) == (0, 0, 0)
    assert (
        report.counted["accepted"] == sum(report.states.values()) == report.documents == DOCUMENTS
    )
    assert {kind for kind in wanted() if not report.faults.get(kind)} <= LUCKY | lucky
    assert not _left_over(), "the run left processes behind"


@pytest.mark.timeout(600)
@pytest.mark.long
def test_everything_is_proven_and_settled_once_the_faults_are_over(tmp_path: Path):
    report = run(short(7, reading_back=True), keep=tmp_path)
    report.save(tmp_path / "report.json")
    check(report)
    assert report.in_doubt == 0
    assert report.reads > 0


@pytest.mark.timeout(600)
@pytest.mark.long
def test_where_nothing_can_be_read_back_nothing_is_lost_and_what_is_doubtful_is_in_doubt(
    tmp_path: Path,
):
    report = run(short(8, reading_back=False), keep=tmp_path)
    report.save(tmp_path / "report.json")
    # While what is doubtful piles up there is little on its way to the API that could be cut.
    check(report, frozenset({"api_cut"}))
    assert report.states["created"] > DOCUMENTS / 2
    assert 0 < report.in_doubt_but_created < report.in_doubt


def _left_over() -> list[str]:
    commands = [process.command for process in all_processes()]
    return [command for command in commands if f"{PREFIX}{os.getpid()}-" in command]
