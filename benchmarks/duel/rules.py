"""Rules that come to hold between enqueuing and sending: suppression, hours, caps.

All contacts are enqueued while they may be called. Then a hundred numbers are suppressed and the
hours of another hundred end. Only then do workers start, as behind a backlog.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.duel import stage
from benchmarks.duel.crew import Crew
from benchmarks.duel.match import LogTail
from benchmarks.duel.roll import Document, make_person
from benchmarks.duel.stage import Place
from benchmarks.duel.table import lines_of
from benchmarks.duel.verdict import Truth
from callspool_sandbox.process import SandboxProcess
from tests.support.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.duel.stage import Contestant

PEOPLE, GROUP = 1000, 100
CAP = 1
"""Calls of a number in 24 hours, over both lists."""

LEAD = 40.0
"""Seconds, at least, in which everybody enqueues before the hours end."""

QUIET = 20.0
"""Seconds without a request after which all are done: longer than any backoff or quiet period."""

LIMIT = 150.0
HEADINGS = ("", "might be called, and were", "though suppressed", "out of hours", "over the cap")


@dataclass(frozen=True, slots=True)
class RuledLists:
    """``suppressed``, ``evening`` and ``others`` are one list; ``second`` repeats numbers."""

    suppressed: list[Document]
    evening: list[Document]
    others: list[Document]
    second: list[Document]


@dataclass(frozen=True, slots=True)
class Obedience:
    """Of ``allowed`` contacts ``called``; then calls that a rule forbade, by the API's log."""

    name: str
    allowed: int
    called: int
    though_suppressed: int
    out_of_hours: int
    over_cap: int

    @property
    def wrong(self) -> int:
        return self.though_suppressed + self.out_of_hours + self.over_cap


def make_lists() -> RuledLists:
    people = [{**make_person(number), "timezone": "UTC"} for number in range(PEOPLE)]
    again = [{**person, "document_id": f"{person['document_id']}-2"} for person in people[-GROUP:]]
    return RuledLists(people[:GROUP], people[GROUP : 2 * GROUP], people[2 * GROUP :], again)


def play_rules(contestants: Iterable[tuple[Contestant, Path]], seed: int) -> list[Obedience]:
    """Plays all at once, since the figures are counts; ends within about four minutes."""
    lists = make_lists()
    end = (time.time() + LEAD) // 60 * 60 + 60
    with ExitStack() as stack:
        seats, logs = [], []
        for contestant, home in contestants:
            server = stack.enter_context(RedisServer("--appendfsync", "everysec", append_only=True))
            home.mkdir(parents=True)
            log = home / "api.jsonl"
            sandbox = stack.enter_context(
                SandboxProcess(log=log, faults=stage.FAULTS, seed=seed, latency=stage.LATENCY)
            )
            place = Place(server.url, sandbox.url, home)
            contestant.enqueue_ruled(place, lists, end)
            contestant.suppress(place, lists.suppressed)
            seats.append((contestant, place))
            logs.append((LogTail(log), Truth()))
        if time.time() >= end:
            raise RuntimeError("the hours ended before all had enqueued: this machine is too busy")
        time.sleep(end - time.time())
        for contestant, place in seats:
            environment = contestant.environment(place)
            stack.enter_context(Crew(contestant.commands(), environment, place.home))
        _wait_until_quiet(logs)
    return [
        judge_obedience(contestant.name, lists, truth.created)
        for (contestant, _), (_, truth) in zip(seats, logs, strict=True)
    ]


def judge_obedience(name: str, lists: RuledLists, created: Counter[str]) -> Obedience:
    """Counts calls against each rule by itself. Pure."""
    calls: Counter[str] = Counter()
    for one in (*lists.suppressed, *lists.evening, *lists.others, *lists.second):
        calls[one["contact_number"]] += created[one["document_id"]]
    return Obedience(
        name=name,
        allowed=len(lists.others),
        called=sum(calls[one["contact_number"]] > 0 for one in lists.others),
        though_suppressed=sum(created[one["document_id"]] for one in lists.suppressed),
        out_of_hours=sum(created[one["document_id"]] for one in lists.evening),
        over_cap=sum(max(0, count - CAP) for count in calls.values()),
    )


def rules_table(outcomes: list[Obedience]) -> str:
    """Returns one row a contestant."""
    rows = [HEADINGS]
    for one in outcomes:
        wrong = (one.though_suppressed, one.out_of_hours, one.over_cap)
        rows.append((one.name, f"{one.called} of {one.allowed}", *map(str, wrong)))
    return "\n".join(lines_of(rows))


def _wait_until_quiet(logs: list[tuple[LogTail, Truth]]) -> None:
    started = changed = time.monotonic()
    seen = 0
    while (now := time.monotonic()) - started < LIMIT:
        for tail, truth in logs:
            truth.add(tail.lines())
        requests = sum(truth.posts + truth.reads for _, truth in logs)
        if requests != seen:
            seen, changed = requests, now
        # Until the first request, workers are starting.
        if seen and now - changed > QUIET:
            return
        time.sleep(0.2)
