"""Requests of 500 contacts, a fast API: callspool, the other ways, and the floor."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.speed.api import Api
from benchmarks.speed.contacts import BATCH, people
from benchmarks.speed.contenders import AFTERNOON, CELERY, DRAMATIQ, FLOOR, callspool
from benchmarks.speed.outcome import Finding, Options, Outcome, Tell, at_least, at_most
from benchmarks.speed.rivals.floor import Poster, body_of
from benchmarks.speed.trial import Comparison, cpu, rate

if TYPE_CHECKING:
    from benchmarks.speed.contenders import Contender

REQUEST = 500
MOST_OF_THE_API = 0.5
"""Part of its own capacity that the stub may be used at before it counts as in the way."""


def run(options: Options, tell: Tell) -> Outcome:
    """Measures all in turn; slow ones get fewer documents, since rates are compared."""
    comparison = Comparison(_field(options), REQUEST)
    comparison.run(options, tell)
    capacity, busy = capacity_of_the_api(options.pick(20, 300, 2_000, 5_000))
    fastest = max(comparison.median(key, rate) for key in comparison.trials)
    spent = comparison.median("callspool", cpu)
    part_used = fastest / (capacity / busy)
    return Outcome(
        part="batches",
        title=f"Requests of {REQUEST} contacts, an API that answers at once",
        rows=comparison.rows(),
        findings=[
            *_ratios(comparison),
            at_most("CPU s of producer and workers per 100,000", spent, 3.0),
            at_most(
                "the API: share of its capacity that the fastest used",
                part_used,
                MOST_OF_THE_API,
                "{:.2f}",
            ),
        ],
        notes=[
            *comparison.notes(),
            (
                "the stub of the API alone, posted to by one of the floor's clients:"
                f" {capacity:,.0f} documents/s at {busy:.0%} of one core,"
                f" so {capacity / busy:,.0f} on a whole one"
            ),
        ],
        figures={
            "trials": comparison.figures(),
            "api": {"documents_per_second": capacity, "busy": busy},
        },
    )


def run_outcomes(options: Options, tell: Tell) -> Outcome:
    """Returns the same without following, and without the feed: what they cost those who send.

    No call ends while it runs; what reading costs is told by ``python -m benchmarks.following``.
    """
    documents = options.pick(1_000, 20_000, 150_000, 600_000)
    field = [
        (_without(options, key, name, **settings), documents)
        for key, name, settings in (
            ("callspool", "callspool", {}),
            ("no-feed", "without the feed", {"CALLSPOOL_EVENTS": "false"}),
            ("no-following", "without following", {"CALLSPOOL_FOLLOW": "false"}),
        )
    ]
    comparison = Comparison(field, REQUEST)
    comparison.run(options, tell)
    findings = [
        at_least(f"documents/s, times those {what}", ratio, least, "{:.2f}")
        for what, least in (("without the feed", 0.98), ("without following", 0.95))
        if (ratio := comparison.ratio("callspool", _key_of(what), rate)) is not None
    ]
    return Outcome(
        part="outcomes",
        title="What following and the feed of events cost",
        rows=comparison.rows(),
        findings=findings,
        notes=comparison.notes(),
        figures={"trials": comparison.figures()},
    )


def _key_of(what: str) -> str:
    return f"no-{what.rpartition(' ')[2]}"


def _without(options: Options, key: str, name: str, **settings: str) -> Contender:
    note = ", ".join(f"{name}={value}" for name, value in settings.items()) or "the defaults"
    return replace(callspool(**{**options.settings, **settings}), key=key, name=name, note=note)


def capacity_of_the_api(posts: int) -> tuple[float, float]:
    """Measures documents a second of one client, and the part of a core that the stub needs."""
    body = body_of(people(0, BATCH))
    with Api() as api, closing(Poster(api.url)) as poster:
        poster.post(body)
        began, used = time.monotonic(), api.cpu()
        for _ in range(posts):
            poster.post(body)
        seconds = time.monotonic() - began
        return posts * BATCH / seconds, max(api.cpu() - used, 0.01) / seconds


def _field(options: Options) -> list[tuple[Contender, int]]:
    return [
        (callspool(**options.settings), options.pick(1_000, 20_000, 150_000, 600_000)),
        (DRAMATIQ, options.pick(50, 1_000, 5_000, 20_000)),
        (AFTERNOON, options.pick(500, 10_000, 80_000, 300_000)),
        (CELERY, options.pick(100, 1_000, 5_000, 20_000)),
        (FLOOR, options.pick(1_000, 30_000, 250_000, 1_000_000)),
    ]


def _ratios(comparison: Comparison) -> list[Finding]:
    found = []
    for key, name, target in (
        ("dramatiq", "plain dramatiq", 50.0),
        ("celery", "celery-batches", 50.0),
        ("afternoon", "the afternoon version", 1.25),
        ("floor", "the floor", 0.55),
    ):
        ratio = comparison.ratio("callspool", key, rate)
        if ratio is not None:
            what = f"documents/s, times those of {name}"
            found.append(at_least(what, ratio, target, "{:,.2f}"))
    times = comparison.ratio("dramatiq", "callspool", cpu)
    if times is not None:
        found.append(at_least("plain dramatiq's CPU, times callspool's", times, 50.0))
    return found
