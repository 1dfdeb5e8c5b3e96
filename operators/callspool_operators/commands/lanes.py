"""`callspool lanes`: what waits where, and why it is not sent."""

import shutil
import sys
from collections.abc import Sequence

import click

from callspool_ledger.reads.lanes import LaneOrder, read_lanes, read_oldest, read_top_lanes
from callspool_ledger.reads.summary import read_clock
from callspool_ledger.reads.views import LaneView
from callspool_ledger.selectors import Selector
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import (
    json_option,
    limit_option,
    redis_option,
    state_dir_option,
)
from callspool_operators.options.selecting import complete_token, selector_options
from callspool_operators.terminal.report import Json, describe_selector, gate_object, why
from callspool_operators.terminal.screen import is_terminal, wrap_lines
from callspool_operators.terminal.wording import format_count, json_line, plain, shorten_token, span

_EXAMPLES = """\b
Examples:
  callspool lanes
  callspool lanes --campaign spring --sort oldest
  callspool lanes --limit 1000 --json | jq -r '.lanes[] | select(.state == "parked").lane'
"""
_HEADINGS = ("lane", "account", "space", "campaign", "pilot", "waiting", "oldest", "state", "why")


@click.command(epilog=_EXAMPLES)
@selector_options(required=False)
@click.option(
    "--sort",
    type=click.Choice(["waiting", "oldest"]),
    default="waiting",
    show_default=True,
    help="Which lanes come first: the largest, or those that wait longest.",
)
@limit_option(50, 100_000, "Show at most this many.")
@redis_option
@state_dir_option
@json_option
def lanes(
    selector: Selector,
    sort: LaneOrder,
    limit: int,
    redis_url: str | None,
    state_dir: str | None,
    as_json: bool,
) -> None:
    """List the lanes: documents that can share a create-call, how many wait, how long, and why.

    A lane is open, paused by an operator, parked by workers because of what the API said, or closed
    by the hours, pace or start of its campaign (callspool campaign).
    """
    with ledger_reader(redis_url, state_dir) as reader:
        selector = complete_token(selector, reader)
        if selector.lane is None:
            top, total = reader.ask(read_top_lanes(selector, sort, limit))
            shown = [each.view for each in top]
        else:
            shown = [lane for lane in reader.ask(read_lanes()) if lane.lane == selector.lane]
            total = len(shown)
        since = reader.ask(read_oldest([lane.lane for lane in shown if lane.waiting]))
        now = reader.ask(read_clock()) / 1000
    more = total - len(shown)
    waits = {lane: max(0.0, now - oldest.timestamp()) for lane, oldest in since.items()}
    if as_json:
        objects = [lane_object(lane, waits.get(lane.lane)) for lane in shown]
        click.echo(json_line({"lanes": objects, "total": total, "more": more}))
        return
    if shown:
        rows = [_row(lane, waits.get(lane.lane)) for lane in shown]
        cells = [[*row[:3], *(plain(name, 24) for name in row[3:5]), *row[5:]] for row in rows]
        lines = _table([_HEADINGS, *cells])
        width = shutil.get_terminal_size().columns
        if is_terminal(sys.stdout) and max(map(len, lines)) > width:
            lines = wrap_lines(_blocks(rows), width)
        click.echo("\n".join(lines))
    else:
        of = f" ({describe_selector(selector)})" if selector.as_object() else ""
        click.echo(f"No lane holds documents that are not settled{of}.")
    if more:
        click.echo(f"and {format_count(more, 'lane')} more (--limit, --json)")


def lane_object(lane: LaneView, waited: float | None) -> Json:
    """Returns a lane as scripts read it; ``waited`` in seconds."""
    return {
        "lane": lane.lane,
        **lane.scope._asdict(),
        "pilot": lane.pilot,
        "waiting": lane.waiting,
        "unsettled": lane.unsettled,
        "oldest_waiting_seconds": None if waited is None else round(waited, 3),
        "state": lane.state,
        "reason": _why(lane) or None,
        "zones": lane.zones or None,
        "opens_at": lane.bar.opens if lane.bar else None,
        "platform_zone": (lane.bar.platform or None) if lane.bar else None,
        "gate": gate_object(lane.gate) if lane.gate else None,
    }


def _row(lane: LaneView, waited: float | None) -> tuple[str, ...]:
    return (
        lane.lane,
        lane.scope.account,
        shorten_token(lane.scope.space_token),
        plain(lane.scope.campaign) or "-",
        plain(lane.pilot),
        f"{lane.waiting:,}",
        "-" if waited is None else span(waited),
        lane.state,
        _why(lane),
    )


def _blocks(rows: Sequence[Sequence[str]]) -> list[str]:
    """The same for a terminal on which the table has no room."""
    lines: list[str] = []
    for lane, account, space, campaign, pilot, waiting, oldest, state, reason in rows:
        lines.append(f"{lane}: {state}, {waiting} waiting (oldest {oldest})")
        lines.append(f"  account {account}, space {space}, campaign {campaign}, pilot {pilot}")
        lines += [f"  {reason}"] if reason else []
    return lines


def _why(lane: LaneView) -> str:
    if lane.gate:
        return why(lane.gate)
    return lane.bar.reason if lane.bar else ""


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = _HEADINGS.index("waiting")
    return [
        "  ".join(
            cell.rjust(width) if place == right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
