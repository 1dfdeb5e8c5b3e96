"""Caps under chaos: ten campaigns over the same numbers, one call a day, and the API's log decides.

python -m chaos.capped --numbers 10000 --minutes 2
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import click

from callspool import CallRequest
from callspool.errors import QueueUnavailable
from callspool.hours.caps import Cap
from callspool.request.identity import Scope
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_is_quiet, read_summary
from callspool_ledger.steering.campaigns import Caps
from callspool_sandbox.log import read_log
from chaos.acting import Acting
from chaos.contacts import CONTEXTS, PILOTS, SPACES, Portion, document_id
from chaos.judging import creations
from chaos.mix import parse_mix
from chaos.producers import Producers
from chaos.run import CRASHES, PATIENCE, to_stderr
from chaos.schedule import Plan, draw
from chaos.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

CAMPAIGNS = 10
QUIET = 5.0
"""Seconds without change after which what waits, and nothing else keeps, waits for its cap."""

_SIZES = (1, 3, 10, 40, 120, 300)
_LINES = 100
"""Fictional numbers of an area code: +1 XXX 555 0100 to 0199."""


@dataclass(frozen=True, slots=True)
class CappedPortion(Portion):
    """Contacts that each have a number of their own, the same one in every campaign."""

    def request(self) -> CallRequest:
        """The call request; fictional people and numbers."""
        account, space_token, campaign = self.scope
        documents: list[dict[str, object]] = [
            {
                "name": f"Person {number}",
                "contact_number": number_of(number),
                "document_id": document_id(number),
            }
            for number in range(self.first, self.first + self.count)
        ]
        return CallRequest(
            space_token=space_token,
            pilot=self.pilot,
            context=self.context,
            documents=documents,
            campaign=campaign,
            account=account,
        )


class CappedReport(NamedTuple):
    """What came of it: numbers called once, more often, and not at all; and documents by state.

    ``unexplained``: numbers that were not called although nothing of theirs is in doubt.
    """

    once: int
    over: int
    never: int
    unexplained: int
    states: dict[str, int]
    faults: dict[str, int]
    failures: list[str]

    @property
    def good(self) -> bool:
        """Whether no number was called too often, and each one that could be was."""
        return not self.over and not self.unexplained and not self.failures


def number_of(number: int) -> str:
    """Returns a fictional number of its own for each of 70,000 contacts."""
    return f"+1{201 + number // _LINES}5550{100 + number % _LINES}"


def draw_portions(plan: Plan, campaigns: int) -> list[CappedPortion]:
    """Returns what is enqueued and when: all numbers in each campaign, in an order of its own."""
    chance = random.Random(f"{plan.seed} capped")  # noqa: S311 - to be repeated, not secret
    found = []
    for campaign in range(campaigns):
        first = 0
        while first < plan.documents:
            count = min(chance.choice(_SIZES), plan.documents - first)
            found.append(
                CappedPortion(
                    at=chance.uniform(0, plan.seconds * 0.9),
                    scope=Scope("default", chance.choice(SPACES), f"c{campaign}"),
                    pilot=PILOTS[0],
                    context=CONTEXTS[0],
                    first=first,
                    count=count,
                    bad=frozenset(),
                )
            )
            first += count
    return sorted(found, key=lambda each: each.at)


def run_capped(
    plan: Plan, campaigns: int = CAMPAIGNS, say: Callable[[str], None] = lambda _: None
) -> CappedReport:
    """Plays faults over campaigns that share their numbers; says what the API created."""
    schedule = draw(plan)
    with Stage(plan) as stage:
        with stage.redis.client() as client:
            Caps([client], "chaos").set([Cap(1, 86400)])
            _settle_on_disk(client)
        acting = Acting(stage, schedule)
        producers = Producers(stage.url, draw_portions(plan, campaigns), plan.producers)
        producers.start()
        try:
            stage.wait_until_calls_go_out()
            acting.play(plan.seconds, lambda _: None)
            say("healing: no more faults")
            stage.redis_link.heal()
            stage.api_link.heal()
            stage.wait_until_api_is_sound()
            crashes = [begun for begun, _, kind in acting.timeline if kind in CRASHES]
            producers.repeat_after_crashes(crashes)
            states = _settle(stage, producers, say)
        finally:
            producers.stop()
        stage.close_workers()
        created = creations(read_log(stage.directory / "api.jsonl"))
        calls = Counter(len(created.get(document_id(n), [])) for n in range(plan.documents))
        never = calls.pop(0, 0)
        once = calls.pop(1, 0)
        failures = [*acting.failures, *producers.failures]
        doubtful = states["in_doubt"]
        over, happened = calls.total(), dict(acting.happened)
        return CappedReport(once, over, never, max(0, never - doubtful), states, happened, failures)


def _settle_on_disk(client: redis.Redis) -> None:
    """Has Redis write all that it holds to its base file, of which no crash takes anything."""
    client.bgrewriteaof()
    while client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.02)


def _settle(stage: Stage, producers: Producers, say: Callable[[str], None]) -> dict[str, int]:
    """Waits until nothing changes any more; returns the documents by state."""
    began = changed = said = time.monotonic()
    before: dict[str, int] = {}
    with stage.redis.client() as client:
        reader = LedgerReader(client)
        while True:
            time.sleep(0.5)
            now = time.monotonic()
            try:
                summary = reader.ask(read_summary())
                is_quiet = reader.ask(read_is_quiet(["default"])) and not summary.gates
            except QueueUnavailable:
                continue
            states = {name: count for name, count in summary.documents.items() if count}
            if states != before:
                before, changed = states, now
            if now - said > 10:
                say(f"settling: {states}")
                said = now
            is_over = is_quiet and not summary.spooled and producers.done()
            patience = QUIET if is_over and not summary.documents["in_doubt"] else PATIENCE
            if now - changed > patience or now - began > 10 * PATIENCE:
                return dict(summary.documents)


@click.command()
@click.option("--numbers", default=10_000, show_default=True)
@click.option("--campaigns", default=CAMPAIGNS, show_default=True)
@click.option("--minutes", default=2.0, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--durable", default="off", show_default=True, help="CALLSPOOL_DURABLE_TAKES.")
@click.option("--mix", default="redis_forget=1", show_default=True, help="As of python -m chaos.")
def capped(numbers: int, campaigns: int, minutes: float, seed: int, durable: str, mix: str) -> None:
    """Call the same numbers in many campaigns while all breaks; one call a day is allowed."""
    seconds, faults = minutes * 60, parse_mix(mix)
    plan = Plan(seed=seed, seconds=seconds, documents=numbers, mix=faults, durable=durable)
    report = run_capped(plan, campaigns, to_stderr)
    click.echo(f"numbers called once: {report.once:,}; over the cap: {report.over:,}")
    click.echo(f"not called: {report.never:,}, {report.unexplained:,} of them without a doubt")
    click.echo(f"documents: { {name: n for name, n in report.states.items() if n} }")
    click.echo(f"faults: {sum(report.faults.values())} {report.faults} {report.failures}")
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    capped()
