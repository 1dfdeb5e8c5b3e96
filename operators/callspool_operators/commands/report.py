"""`callspool report`: what is looked at afterwards."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from callspool.hours.audit import BEGUN_BY, HoursAudit
from callspool_ledger.reads.calls import read_begun
from callspool_ledger.reads.campaigns import describe_zones, read_campaigns
from callspool_operators.options import parsing
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import LedgerPlace, ledger_options, limit_option
from callspool_operators.terminal.wording import format_count, json_line, local, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from callspool.hours.audit import BegunBy
    from callspool_ledger.reads.calls import BegunCall
    from callspool_ledger.reads.campaigns import CampaignName, CampaignView

_EXAMPLES = """\b
Examples:
  callspool report hours --since 7d
  callspool report hours --json | jq '.outside_hours'
"""
_WORDS = {"us": "handed over outside the hours", "platform": "begun by the platform"}


@click.group("report")
def report() -> None:
    """Look afterwards at what was done."""


class OutsideCall(NamedTuple):
    """A call that began outside of its contact's hours, and what let it."""

    call: BegunCall
    by: BegunBy


@report.command("hours", epilog=_EXAMPLES)
@click.option(
    "--since",
    callback=parsing.earlier,
    metavar="7d|TIME",
    help="Calls that began since then.  [default: all that the ledger knows]",
)
@limit_option(20, 1000, "Show at most this many calls, the newest first.")
@ledger_options
def hours(since: parsing.LaterMoment | None, limit: int, place: LedgerPlace, as_json: bool) -> None:
    """List calls that began outside their contact's hours.

    Calls count whose campaign had hours when they were handed over and whose start is known. They
    are judged by the hours as they are set now.
    """
    since_ms = 0 if since is None else round(since.at(time.time()) * 1000)
    with ledger_reader(*place) as reader:
        campaigns = reader.ask(read_campaigns()).campaigns
        begun = reader.ask(read_begun(since_ms))
    judged = [call for call in begun if call.name in campaigns]
    outside = sorted(_find_outside(judged, campaigns), key=lambda one: -one.call.began_ms)
    counts = {by: sum(one.by == by for one in outside) for by in BEGUN_BY}
    if as_json:
        told: dict[str, Any] = {"calls": len(judged), "outside_hours": counts}
        click.echo(json_line({**told, "shown": [_object(one) for one in outside[:limit]]}))
        return
    for line in _lines(judged, outside, counts, limit):
        click.echo(line)


def _find_outside(
    calls: Sequence[BegunCall], campaigns: Mapping[CampaignName, CampaignView]
) -> Iterator[OutsideCall]:
    audits = {name: HoursAudit(view.record) for name, view in campaigns.items()}
    for call in calls:
        by = audits[call.name].judge(call.zones, call.began_ms, call.handed_over_ms)
        if by is not None:
            yield OutsideCall(call, by)


def _lines(
    judged: Sequence[BegunCall],
    outside: Sequence[OutsideCall],
    counts: Mapping[BegunBy, int],
    limit: int,
) -> Iterator[str]:
    number = format_count(len(judged), "call")
    yield f"{number} of campaigns with hours began: {len(outside):,} outside their contact's hours"
    for by, count in counts.items():
        if count:
            yield f"  {count:,} {_WORDS[by]}"
    for call, by in outside[:limit]:
        campaign = f"campaign {plain(call.name.campaign, 80)}" if call.name.campaign else ""
        began = local(datetime.fromtimestamp(call.began_ms / 1000, UTC))
        words = (began, _WORDS[by], describe_zones(call.zones), campaign, f"task {call.task_id}")
        yield "  ".join(word for word in words if word)
    if len(outside) > limit:
        yield f"and {len(outside) - limit:,} more: --limit shows them"


def _object(one: OutsideCall) -> dict[str, Any]:
    call = one.call
    return {
        **call.name._asdict(),
        "run_id": call.run_id or None,
        "task_id": call.task_id or None,
        "zones": call.zones,
        "handed_over_at": datetime.fromtimestamp(call.handed_over_ms / 1000, UTC),
        "began_at": datetime.fromtimestamp(call.began_ms / 1000, UTC),
        "by": one.by,
    }
