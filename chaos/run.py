"""A whole run: faults, healing, settling, the verdict."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_sandbox.log import read_log
from chaos.acting import Acting
from chaos.contacts import portions
from chaos.feed import judge_feed
from chaos.judging import check_sums, creations, judge, reasons_to_hold
from chaos.producers import Producers
from chaos.report import Report, api_faults, cases, settle_times
from chaos.settling import (
    DOUBTS_REST,
    HELD_REST,
    read_events,
    read_found,
    wait_until_calls_ended,
    wait_until_settled,
)
from chaos.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import redis

    from callspool_ledger.reads.views import LedgerSummary
    from chaos.contacts import Key, Portion
    from chaos.schedule import Schedule

PATIENCE = 180.0
"""Seconds without any change after which what is not settled never will be: longer than a look at a
space may take, which nobody repeats before."""

CRASHES = {"redis_kill", "redis_forget", "redis_promote"}
"""After these Redis may lack what it confirmed shortly before."""

_TROUBLE = re.compile(
    r"^(?:Traceback|\w*(?:Error|Exception)\b.*)$"
    r'|(?<=Z",)"level":"(?:error|critical)","event":"(?:failed|log)".*$',
    re.MULTILINE,
)
"""What no worker should write: errors that nobody caught, or after which a thread went on."""


def run(
    schedule: Schedule,
    *,
    keep: Path | None = None,
    patience: float = PATIENCE,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Plays a schedule to its end and says what came of it.

    ``keep``: a directory for the logs of a run that broke a promise. ``say`` is told now and then
    how it stands. Nothing else of the run is left when it returns.
    """
    with Stage(schedule.plan) as stage:
        report = Performance(stage, schedule, say).perform(patience)
        if keep is not None and not report.good:
            for name in ("workers.log", "api.jsonl", "proxies.log"):
                shutil.copy(stage.directory / name, keep / name)
            shutil.copy(stage.redis.directory / "server.log", keep / "redis.log")
        return report


class Performance:
    """One run on its stage."""

    def __init__(self, stage: Stage, schedule: Schedule, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._schedule = schedule
        self._portions = portions(schedule.plan)
        self._say = say
        self._acting = Acting(stage, schedule)
        self._producers = Producers(stage.url, self._portions, schedule.plan.producers)
        self._cuts: Counter[str] = Counter()
        self._begun = 0.0

    def perform(self, patience: float) -> Report:
        """Faults, healing, settling, verdict."""
        plan = self._schedule.plan
        begun = self._begun = time.monotonic()
        self._producers.start()
        try:
            # Faults before the first call would find nothing to break.
            self._stage.wait_until_calls_go_out()
            self._acting.play(plan.seconds, Now(self._say, plan.seconds))
            self._heal()
            healed = time.monotonic()
            settled = self._settle(patience)
            ended = not plan.mix.get("calls") or self._follow(patience)
        finally:
            self._producers.stop()
        settled_after = time.monotonic() - healed
        # Nothing may change any more while the sums are made.
        self._stage.close_workers()
        report = Report(plan.seed, round(time.monotonic() - begun, 1), self._asked())
        report.settled, report.settled_after = settled, round(settled_after, 1)
        self._judge(report, patience)
        if not ended:
            report.problems.append("calls stayed open, or their outcomes do not add up")
        return report

    def _follow(self, patience: float) -> bool:
        self._say("following calls to their end")
        with self._stage.redis.client() as client:
            return wait_until_calls_ended(client, patience)

    def _since(self, moment: float) -> float:
        return round(moment - self._begun, 3)

    def _heal(self) -> None:
        self._say("healing: no more faults")
        stage = self._stage
        self._cuts["redis_cut"] = stage.redis_link.heal()
        self._cuts["api_cut"] = stage.api_link.heal()
        stage.wait_until_api_is_sound()

    def _settle(self, patience: float) -> bool:
        plan, timeline = self._schedule.plan, self._acting.timeline
        if plan.fsync != "always" or self._acting.happened["redis_forget"]:
            crashes = [begun for begun, _, kind in timeline if kind in CRASHES]
            self._producers.repeat_after_crashes(crashes)
        if emptied := [over for _, over, kind in timeline if kind == "redis_empty"]:
            self._producers.repeat_until(max(emptied))
        with self._stage.redis.client() as client:
            return wait_until_settled(
                client,
                partial(self._is_unfinished, client),
                patience=patience,
                doubts_rest=self._doubts_rest(),
                on_tick=Now(self._say, None),
            )

    def _is_unfinished(self, client: redis.Redis) -> bool:
        """Whether producers are still at it.

        Where nothing may be read back, an operator lets spaces send again that Redis' restarts
        have closed: with CALLSPOOL_DURABLE_TAKES no take was forgotten, as only a person can know.
        """
        if not self._schedule.plan.reading_back:
            Steering([client], "operator").resume(Selector())
        return not self._producers.done()

    def _doubts_rest(self) -> float:
        return HELD_REST if self._schedule.plan.reading_back else DOUBTS_REST

    def _asked(self) -> int:
        return len(all_keys(self._portions))

    def _judge(self, report: Report, patience: float) -> None:
        asked = all_keys(self._portions)
        bad = {key for portion in self._portions for key in portion.bad_keys()}
        log = self._stage.directory / "api.jsonl"
        with self._stage.redis.client() as client:
            found = read_found(client, asked)
            summary = LedgerReader(client).ask(read_summary())
            missed = asked.keys() - self._producers.acknowledged.keys()
            crashed = any(kind in CRASHES for _, _, kind in self._acting.timeline)
            feed = judge_feed(found, read_events(client), may_repeat=crashed)
            verdict = judge(found, creations(read_log(log)), bad, missed)
            sums = check_sums(verdict, summary.documents, summary.spooled, summary.unreadable)
            violations = verdict.violations(reasons_to_hold(self._schedule.plan))
            told = {key: self._since(at) for key, at in self._producers.acknowledged.items()}
            report.violations = cases(violations, read_log(log), client, told)
        # An emptied Redis has no feed of what was before.
        emptied = any(kind == "redis_empty" for _, _, kind in self._acting.timeline)
        report.lost, report.called_twice = len(verdict.lost), len(verdict.twice)
        report.wrongly_recorded, report.wrongly_dead = len(verdict.wrong), len(verdict.buried)
        report.not_settled, report.in_doubt = len(verdict.open), len(verdict.in_doubt)
        report.in_doubt_but_created = verdict.in_doubt_but_created
        report.doubts = dict(Counter(why or "no reason" for why in verdict.in_doubt.values()))
        report.states, report.counted = dict(verdict.states), summary.documents
        report.submissions = summary.submissions
        report.settle_median, report.settle_worst = settle_times(found.values())
        self._add_faults(report, log)
        report.events, report.outcomes = dict(feed.events), dict(summary.outcomes)
        report.problems += [*sums, *([] if emptied else feed.problems)]
        if missed:
            report.problems.append(f"{len(missed)} documents could not be enqueued")
        if not report.settled:
            report.problems.append(f"nothing changed for {patience:.0f} s before all was settled")

    def _add_faults(self, report: Report, log: Path) -> None:
        lines = list(read_log(log))
        requests = [line for line in lines if line["event"] == "request"]
        report.requests = sum(line.get("method") == "POST" for line in requests)
        report.reads = len(requests) - report.requests
        report.incomplete_requests = sum(line["event"] == "incomplete_request" for line in lines)
        faults = self._acting.happened + self._cuts + api_faults(lines)
        report.faults = dict(faults)
        report.timeline = sorted(
            (self._since(begun), self._since(over), kind)
            for begun, over, kind in self._acting.timeline
        )
        report.enqueued = dict(self._producers.counts)
        report.supervisors_restarted = self._stage.workers.restarts
        report.problems += self._acting.failures + self._producers.failures
        report.problems += [text for text in faults if text.startswith("sandbox_violation")]
        if self._stage.outlived:
            report.problems.append(f"{len(self._stage.outlived)} workers outlived their parents")
        troubles = _TROUBLE.findall(self._stage.worker_log.read_text(errors="replace"))
        report.noted = dict(Counter(text[:200] for text in troubles).most_common(10))


def all_keys(found: Sequence[Portion]) -> dict[Key, None]:
    """Every document that is asked for, once."""
    return {key: None for portion in found for key in portion.members()}


class Now:
    """Says every few seconds how far a run is."""

    EVERY = 10.0

    def __init__(self, say: Callable[[str], None], seconds: float | None) -> None:
        self._say = say
        self._seconds = seconds
        self._next = 0.0

    def __call__(self, what: float | LedgerSummary) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self.EVERY
        if isinstance(what, float):
            self._say(f"{what:.0f} of {self._seconds or 0:.0f} s")
        else:
            states = ", ".join(f"{count} {name}" for name, count in what.documents.items() if count)
            self._say(f"settling: {what.spooled} spooled, {states}")


def to_stderr(text: str) -> None:
    """How the command line says it."""
    sys.stderr.write(f"chaos: {text}\n")
