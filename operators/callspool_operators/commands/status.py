"""`callspool status`: documents by state, submissions by outcome, lanes, oldest wait."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Self

import click

from callspool_ledger.errors import FREE_THE_DISK, WRITES_REFUSED
from callspool_ledger.reads.calls import read_follow_lag
from callspool_ledger.reads.lanes import ADVICE, OneDocumentLanes, read_one_document_lanes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.snapshot import AccountLimit
from callspool_ledger.reads.summary import read_reasons
from callspool_ledger.reads.views import LedgerSummary, Reason
from callspool_operators.commands.events import journal_lines, journal_object
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import json_option, redis_option, state_dir_option
from callspool_operators.terminal.report import (
    COUNTS,
    Json,
    gate_lines,
    gate_object,
    held_lines,
    held_object,
    outcome_lines,
    submissions_in_order,
)
from callspool_operators.terminal.screen import paint, watch
from callspool_operators.terminal.wording import (
    format_count,
    format_counts,
    how_to_start_workers,
    json_line,
    plain,
    span,
    state_dir_flag,
)

_EXAMPLES = """\b
Examples:
  callspool status
  callspool status --watch
  callspool status --watch --interval 60 >> standing.log
  callspool status --json | jq .documents.created
"""
_BESIDE = ("accepted", "duplicate", "invalid", "conflict", "suppressed")
_IN_A_LINE = ("waiting", "sending", "in_doubt", "created", "dead", "cancelled", "expired")


@click.command(epilog=_EXAMPLES)
@click.option("--watch", "watching", is_flag=True, help="Repeat until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 86400),
    metavar="SECONDS",
    help="Time between two looks, with --watch.  [default: 1]",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --watch: end after N looks, with exit code 0.",
)
@redis_option
@state_dir_option
@json_option
def status(
    watching: bool,
    interval: float | None,
    count: int | None,
    redis_url: str | None,
    state_dir: str | None,
    as_json: bool,
) -> int | None:
    """Show how many documents are in which state, what the API answered, and what waits.

    Counts cover the installation's whole life; reasons cover the last batches with documents that
    are dead or in doubt.

    With --watch, a terminal shows a screen that is redrawn each second, with the documents accepted
    and created a second. Elsewhere each look prints a line, with --json a JSON object. Watching
    goes on while Redis is away; Ctrl-C ends it with exit code 130.
    """
    if not watching and (count is not None or interval is not None):
        raise click.UsageError("--interval and --count go with --watch: add it")
    with ledger_reader(redis_url, state_dir) as reader:
        if watching:
            return watch(
                lambda: _StatusView.of(reader, state_dir),
                interval=interval or 1.0,
                count=count,
                as_json=as_json,
            )
        standing = _StatusView.of(reader, state_dir)
    if as_json:
        click.echo(json_line(standing.to_json()))
        return None
    for line in standing.lines():
        click.echo(paint(line))
    return None


FOLLOW_LATE = 1800.0
"""Seconds by which looks at calls may be late before `status` says so."""


class _StatusView:
    """How the installation stands at one moment."""

    def __init__(
        self,
        summary: LedgerSummary,
        reasons: Sequence[Reason],
        one_document_lanes: OneDocumentLanes,
        limits: Sequence[AccountLimit] = (),
        where: str = "",
        follow_lag: float = 0.0,
    ) -> None:
        self.summary = summary
        self._follow_lag = follow_lag
        self._where = where
        self._reasons = reasons
        self._advice = [*advice_of(one_document_lanes), *follow_advice(follow_lag)]
        self._limits = limits
        self.accepted = summary.documents.get("accepted", 0)
        self.created = summary.documents.get("created", 0)

    @classmethod
    def of(cls, reader: LedgerReader, state_dir: str | None) -> Self:
        return cls(
            reader.summary(),
            reader.ask(read_reasons()),
            reader.ask(read_one_document_lanes()),
            reader.limits(),
            state_dir_flag(state_dir),
            reader.ask(read_follow_lag()),
        )

    def lines(self) -> list[str]:
        lines = lines_of(self.summary, self._reasons, self._limits, self._where)
        return [*lines, *self._advice]

    def to_json(self) -> Json:
        found = as_object(self.summary, self._reasons, self._limits, self._where)
        return {**found, "follow_lag_seconds": self._follow_lag, "advice": self._advice}

    def line(self) -> str:
        """Returns the same on one line, for a log."""
        found = self.summary.documents
        states = format_counts({name: found.get(name, 0) for name in _IN_A_LINE})
        parts = [f"{self.accepted:,} accepted", *([states] if states else [])]
        if self.summary.spooled:
            parts.append(f"{self.summary.spooled:,} in the queue")
        if self.summary.oldest_waiting_seconds is not None:
            parts.append(f"oldest wait {span(self.summary.oldest_waiting_seconds)}")
        if self.summary.writes_refused:
            parts.append("Redis refuses every write")
        if _lacks_workers(self.summary):
            parts.append("no worker")
        if self.summary.gates:
            parts.append(format_count(len(self.summary.gates), "gate closed", "gates closed"))
        return ", ".join(parts)


def advice_of(one_document_lanes: OneDocumentLanes) -> list[str]:
    """Returns what would make sending faster, if anything is seen."""
    if not one_document_lanes.is_usual:
        return []
    some = f"{one_document_lanes.alone} of {one_document_lanes.seen} lanes"
    return [f"{some} hold one document each: {ADVICE}"]


def follow_advice(lag: float) -> list[str]:
    """Returns how far behind following is, where it is; ``lag`` in seconds."""
    if lag < FOLLOW_LATE:
        return []
    late = f"following is {span(lag)} behind: calls are looked at that much too late"
    return [f"{late}; more contacts in a run help, or a higher CALLSPOOL_FOLLOW_MAX_RATE"]


def as_object(
    summary: LedgerSummary,
    reasons: Sequence[Reason] = (),
    limits: Sequence[AccountLimit] = (),
    where: str = "",
) -> Json:
    """Returns the status as scripts read it."""
    return {
        "documents": {name: summary.documents.get(name, 0) for name in COUNTS if name != "read"},
        "submissions": submissions_in_order(summary.submissions),
        "outcomes": summary.outcomes,
        "runs": summary.runs,
        "workers": len(summary.workers),
        "start_workers": how_to_start_workers(where) if _lacks_workers(summary) else None,
        "writes_refused": summary.writes_refused,
        "spooled": summary.spooled,
        "lanes": summary.lanes,
        "unreadable": summary.unreadable,
        "oldest_waiting_seconds": summary.oldest_waiting_seconds,
        "gates": [gate_object(gate) for gate in summary.gates],
        "held": [held_object(held) for held in summary.held],
        "journal": [journal_object(entry) for entry in summary.journal],
        "reasons": list(reasons),
        "limits": [asdict(limit) for limit in limits],
    }


def lines_of(
    summary: LedgerSummary,
    reasons: Sequence[Reason] = (),
    limits: Sequence[AccountLimit] = (),
    where: str = "",
) -> list[str]:
    """Returns the status as people read it."""
    found = summary.documents
    if not any(found.values()) and not summary.spooled:
        nothing = "Nothing was enqueued here yet: callspool send FILE puts contacts into the queue."
        return [nothing, _workers_line(summary, where), *_steering_lines(summary)]
    states = {name: found.get(name, 0) for name in COUNTS if name not in (*_BESIDE, "read")}
    beside = {name: found.get(name, 0) for name in ("duplicate", "invalid", "conflict")}
    width = len(f"{max(*states.values(), found.get('accepted', 0)):,}")
    lines = [f"{found.get('accepted', 0):>{width},} accepted"]
    for name, number in states.items():
        if number:
            lines.append(f"{number:>{width},}   {name.replace('_', ' ')}")
            lines += _reason_lines(reasons, name, width)
        if number and name == "created":
            lines += [f"{'':>{width}}     {line}" for line in outcome_lines(summary.outcomes)]
        if name == "cancelled" and found.get("suppressed"):
            lines.append(f"{found['suppressed']:>{width},}     of them ever kept back by a list")
    if any(beside.values()):
        lines.append(f"not accepted: {format_counts(beside)}")
    if summary.spooled:
        lines.append(f"{format_count(summary.spooled, 'document')} in the queue, not accepted yet")
    if summary.unreadable:
        messages = format_count(summary.unreadable, "message")
        lines.append(f"{messages} kept whole, since no worker could read them: callspool invalid")
    lines.append(
        f"create-calls: {format_counts(submissions_in_order(summary.submissions)) or 'none'}"
    )
    lines.append(f"runs: {summary.runs:,}")
    lines.append(f"lanes: {format_counts(summary.lanes) or 'none'}")
    if summary.oldest_waiting_seconds is not None:
        lines.append(f"oldest wait: {span(summary.oldest_waiting_seconds)}")
    lines.append(_workers_line(summary, where))
    lines += map(_limit_line, limits)
    return lines + _steering_lines(summary)


def _lacks_workers(summary: LedgerSummary) -> bool:
    return not summary.workers and not summary.writes_refused


def _workers_line(summary: LedgerSummary, where: str) -> str:
    """How many workers live; where none does, what to type."""
    if summary.workers:
        return f"workers: {len(summary.workers):,}"
    if summary.writes_refused:
        return "workers: unknown, since Redis refuses their heartbeats"
    return f"workers: none; to start one: {how_to_start_workers(where)}"


def _steering_lines(summary: LedgerSummary) -> list[str]:
    """What is not sent now and why, and what operators did last."""
    refused = [f"{WRITES_REFUSED}: {FREE_THE_DISK}"] if summary.writes_refused else []
    lines = [*refused, *gate_lines(summary.gates), *held_lines(summary.held)]
    if summary.journal:
        lines.append("last done by operators (callspool journal):")
        lines += [f"  {line}" for line in journal_lines(summary.journal)]
    return lines


def _limit_line(limit: AccountLimit) -> str:
    used = f"account {limit.account}: {limit.in_flight:,} of {limit.limit:,} requests in flight"
    if not limit.rests_seconds:
        return used
    return f"{used}; rests for {span(limit.rests_seconds)}, as the API asked"


def _reason_lines(reasons: Sequence[Reason], state: str, width: int) -> list[str]:
    return [
        f"{'':{width}}     {each.documents:,}: {plain(each.reason, 200) or 'no reason'}"
        for each in reasons
        if each.state == state
    ]
