"""What it costs to ask who may be called: nothing set, lists, calling hours, and all with a cap."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.speed.contacts import BATCH
from benchmarks.speed.contenders import callspool
from benchmarks.speed.outcome import Finding, Options, Outcome, Tell, at_least
from benchmarks.speed.trial import Comparison, rate
from callspool.hours.caps import read_cap
from callspool_ledger.guard import GLOBAL, Suppression
from callspool_ledger.steering.campaigns import Campaigns, Caps

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from benchmarks.speed.contenders import Contender
    from benchmarks.speed.trial import Trial

REQUEST = 500
LISTED = 10_000
CAP = "100/7d"
"""A cap that no number reaches."""

BY = "benchmark"
CAMPAIGN = ("default", "")

LEAST_SPEED, LEAST_FILL = 0.85, 0.9


def run(options: Options, tell: Tell) -> Outcome:
    """The same people each time; none is on a list, and every hour is open."""
    documents = options.pick(500, 30_000, 150_000, 600_000)
    comparison = Comparison([(each, documents) for each in _field(options)], REQUEST)
    comparison.run(options, tell)
    return Outcome(
        part="guarded",
        title="Who may be called: nothing set, lists, hours, and lists with hours and a cap",
        rows=comparison.rows(),
        findings=[*_speeds(comparison), *_fills(comparison)],
        notes=[*comparison.notes(), *_spent(comparison)],
        figures={"trials": comparison.figures()},
    )


def _field(options: Options) -> list[Contender]:
    none = callspool(**options.settings)
    open_hours = {**options.settings, "CALLSPOOL_PLATFORM_HOURS": "none"}

    def kind(key: str, note: str, *steps: Callable[[redis.Redis], object]) -> Contender:
        def prepare(client: redis.Redis) -> None:
            for step in steps:
                step(client)

        return replace(callspool(**open_hours), key=key, name=key, note=note, prepare=prepare)

    return [
        replace(none, name="nothing set"),
        kind("lists", f"{LISTED:,} other numbers are on the global list", add_numbers),
        kind("hours", "open at any hour, in each contact's own zone", set_hours),
        kind(
            "all", f"the same lists and hours, and a cap of {CAP}", add_numbers, set_hours, set_cap
        ),
    ]


def add_numbers(client: redis.Redis) -> None:
    """Puts numbers of nobody on the global list."""
    numbers = (f"+4477009{number:05}" for number in range(LISTED))
    Suppression([client], BY).add(numbers, GLOBAL)


def set_hours(client: redis.Redis) -> None:
    """Sets hours that never end, by which documents lie in the lanes of their zones."""
    Campaigns([client], BY).set(
        *CAMPAIGN, lambda record: record.change(hours=((0, 1440),), close_early=0)
    )


def set_cap(client: redis.Redis) -> None:
    """Sets a cap that no number reaches; each call is counted."""
    account, campaign = CAMPAIGN
    Caps([client], BY).set([read_cap(CAP)], account=account, campaign=campaign)


def _speeds(comparison: Comparison) -> list[Finding]:
    return [
        at_least(
            f"documents/s with {key}, times those with nothing set", ratio, LEAST_SPEED, "{:.2f}"
        )
        for key in comparison.trials
        if key != "callspool" and (ratio := comparison.ratio(key, "callspool", rate)) is not None
    ]


def _fills(comparison: Comparison) -> list[Finding]:
    return [
        at_least(
            f"how full batches are: {key}", comparison.median(key, _fill), LEAST_FILL, "{:.2f}"
        )
        for key in comparison.trials
    ]


def _spent(comparison: Comparison) -> list[str]:
    return [
        f"{key}: {comparison.median(key, _spent_cpu):.2f} CPU s per 100,000 of producer, workers"
        f" and Redis; {comparison.median(key, _commands):.1f} commands of Redis a batch"
        for key in comparison.trials
    ]


def _fill(trial: Trial) -> float:
    return trial.documents / trial.requests / BATCH


def _spent_cpu(trial: Trial) -> float:
    return trial.cpu + trial.redis_cpu_each


def _commands(trial: Trial) -> float:
    return sum(calls for calls, _ in trial.calls.values()) / trial.requests
