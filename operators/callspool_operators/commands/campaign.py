"""`callspool campaign`: when, how fast and between which dates a campaign's contacts are called."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from callspool.hours.record import DAYS, HOLD, CampaignError, CampaignRecord
from callspool.request.identity import DEFAULT_ACCOUNT, is_account_name
from callspool.request.text import fault_of_word
from callspool_ledger.reads.campaigns import CampaignName, describe_zones
from callspool_ledger.steering import Campaigns
from callspool_operators.commands.steering_ledger import open_ledger, operator
from callspool_operators.commands.suppress import lists_of_campaign
from callspool_operators.options import parsing
from callspool_operators.options.options import json_option, redis_option, state_dir_option
from callspool_operators.preparing.campaigns import (
    campaign_object,
    change_record,
    classes_of,
    describe_change,
)
from callspool_operators.preparing.forecast import describe_hours, warn_of_platform
from callspool_operators.terminal.wording import format_count, json_line, local, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool_ledger.reads.campaigns import Bar, CampaignTables, CampaignView

_EXAMPLES = """\b
Examples:
  callspool campaign set spring --hours 09:00-20:00 --days mon-fri
  callspool campaign show spring
  callspool campaign list --json | jq '.campaigns[].campaign'
"""
_SET_EXAMPLES = """\b
Examples:
  callspool campaign set spring --hours 09:00-20:00 --days mon-fri --holidays US
  callspool campaign set spring --zone hold --zone-field timezone --pace 600/min
  callspool campaign set '' --hours 10:00-18:00 --starts 2026-12-01T09:00+01:00
"""
_UNSET_EXAMPLES = """\b
Examples:
  callspool campaign unset spring --pace
  callspool campaign unset spring
"""
_FIELDS: dict[str, dict[str, Any]] = {
    "hours": {"hours": ()},
    "days": {"days": ()},
    "holidays": {"holidays": (), "closed": (), "known_until": 0},
    "zone": {"zone": ""},
    "zone_field": {"zone_field": ""},
    "close_early": {"close_early": None},
    "pace": {"pace": None},
    "starts": {"starts": None},
    "ends": {"ends": None},
    "lists": {},
}
"""What each option of `unset` takes away: fields of a record, and what they are without it."""

MOST_CLASSES_SHOWN = 20


def _read_name(ctx: click.Context, param: click.Parameter, given: str) -> str:
    name = parsing.name(ctx, param, given) or ""
    if name and (fault := fault_of_word(name)):
        raise click.BadParameter(fault)
    return name


_name = click.argument("name", callback=_read_name)
_account = click.option(
    "--account", default=DEFAULT_ACCOUNT, show_default=True, metavar="NAME", help="Its account."
)


@click.group("campaign", epilog=_EXAMPLES)
def campaign() -> None:
    """Say when and how fast the contacts of a campaign may be called.

    A campaign is named as `--campaign` names it; '' means the documents without one. What is set
    is in force at once, also for documents that wait already, and may be changed at any time.
    """


@campaign.command("set", epilog=_SET_EXAMPLES)
@_name
@_account
@click.option("--hours", metavar="09:00-20:00", help="Hours of a day; several with commas.")
@click.option("--days", metavar="mon-fri", help="Days of the week.  [default: every day]")
@click.option(
    "--holidays",
    multiple=True,
    metavar="DAY|CALENDAR",
    help="Days without calls: 2026-12-24, or the calendar of a country, as US or DE-BY.",
)
@click.option(
    "--zone",
    metavar="ZONE|hold",
    help="Zone of contacts whose zone is not known; hold does not call them.  [default: hold]",
)
@click.option("--zone-field", metavar="FIELD", help="Field of the documents that names a zone.")
@click.option(
    "--close-early", type=int, metavar="SECONDS", help="Close this many seconds before the end."
)
@click.option("--pace", metavar="600/min", help="Most documents a minute, second (s) or hour (h).")
@click.option(
    "--starts", metavar="TIME", help="Send nothing before this time: 2026-12-01T09:00+01:00."
)
@click.option("--ends", metavar="TIME", help="Documents that still wait at this time expire.")
@click.option("--lists", metavar="A,B", help="Named lists of numbers that it does not call.")
@redis_option
@state_dir_option
@json_option
def set_(
    name: str,
    account: str,
    redis_url: str | None,
    state_dir: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Set hours, days, holidays, zone, pace, start or end; what is not named stays as it is."""
    given = {option: value for option, value in given.items() if value not in (None, ())}
    if not given:
        raise click.UsageError("say what to set: callspool campaign set --help lists it")
    change = given.pop("lists").split(",") if "lists" in given else None
    with _campaigns(account, redis_url, state_dir, may_begin=True) as campaigns:
        if given:
            campaigns.set(account, name, partial(change_record, given), describe_change(given))
        found = campaigns.read()
    if "hours" in given:
        warn_of_platform(found.campaigns[CampaignName(account, name)].record)
    lists = lists_of_campaign(CampaignName(account, name), redis_url, state_dir, change)
    _tell(found, CampaignName(account, name), lists, as_json)


@campaign.command("unset", epilog=_UNSET_EXAMPLES)
@_name
@_account
@redis_option
@state_dir_option
@json_option
def unset(
    name: str,
    account: str,
    redis_url: str | None,
    state_dir: str | None,
    as_json: bool,
    **given: bool,
) -> None:
    """Take back what was set: what is named, or all of it."""
    chosen = [option for option, is_named in given.items() if is_named] or [*_FIELDS]
    change: list[str] | None = [] if "lists" in chosen else None
    cleared = {field: value for option in chosen for field, value in _FIELDS[option].items()}
    with _campaigns(account, redis_url, state_dir) as campaigns:
        every = len(chosen) == len(_FIELDS)
        detail = describe_change({}, "anything" if every else ", ".join(chosen).replace("_", "-"))
        campaigns.set(account, name, lambda record: record.change(**cleared), detail)
        found = campaigns.read()
    lists = lists_of_campaign(CampaignName(account, name), redis_url, state_dir, change)
    _tell(found, CampaignName(account, name), lists, as_json)


for _option in _FIELDS:
    _flag = f"--{_option.replace('_', '-')}"
    unset = click.option(_flag, is_flag=True, help=f"Take back {_flag}.")(unset)


@campaign.command("show")
@_name
@_account
@redis_option
@state_dir_option
@json_option
def show(
    name: str, account: str, redis_url: str | None, state_dir: str | None, as_json: bool
) -> None:
    """Show what is set for a campaign, and which classes of zones are open."""
    with _campaigns(account, redis_url, state_dir) as campaigns:
        found = campaigns.read()
    lists = lists_of_campaign(CampaignName(account, name), redis_url, state_dir)
    _tell(found, CampaignName(account, name), lists, as_json)


@campaign.command("list")
@redis_option
@state_dir_option
@json_option
def list_(redis_url: str | None, state_dir: str | None, as_json: bool) -> None:
    """List the campaigns for which something is set."""
    with _campaigns(DEFAULT_ACCOUNT, redis_url, state_dir) as campaigns:
        found = campaigns.read()
    views = [found.campaigns[name] for name in sorted(found.campaigns)]
    if as_json:
        click.echo(json_line({"campaigns": [campaign_object(found, view.name) for view in views]}))
        return
    for view in views:
        click.echo(f"{describe_name(view.name)}: {'; '.join(describe_record(view.record))}")
    if not views:
        click.echo("Nothing is set for any campaign: calls may begin at any time.")


@contextmanager
def _campaigns(
    account: str, redis_url: str | None, state_dir: str | None, *, may_begin: bool = False
) -> Iterator[Campaigns]:
    """Raises `click.UsageError` for what was asked for and cannot be."""
    if not is_account_name(account):
        raise click.UsageError(f"--account {plain(account, 60)}: is no name of an account")
    with open_ledger(redis_url, state_dir, may_begin=may_begin) as (clients, tell):
        try:
            yield Campaigns(clients, operator(), tell)
        except CampaignError as fault:
            raise click.UsageError(str(fault)) from None


def _tell(found: CampaignTables, name: CampaignName, lists: Sequence[str], as_json: bool) -> None:
    if as_json:
        click.echo(json_line({**campaign_object(found, name), "lists": lists}))
        return
    view = found.campaigns.get(name)
    if lists:
        click.echo(f"{describe_name(name)} does not call who is on the lists {', '.join(lists)}.")
    if view is None:
        click.echo(f"{describe_name(name)}: nothing is set; calls may begin at any time.")
        return
    click.echo(describe_name(name))
    for line in describe_record(view.record):
        click.echo(f"  {line}")
    for line in _class_lines(found, view):
        click.echo(f"  {line}")


def _class_lines(found: CampaignTables, view: CampaignView) -> Iterator[str]:
    classes = sorted(classes_of(found, view.name))
    for zones in classes[:MOST_CLASSES_SHOWN]:
        yield f"{describe_zones(zones)}: {_state(found.find_bar(view.name, zones))}"
    more = len(classes) - MOST_CLASSES_SHOWN
    if more > 0:
        yield f"and {format_count(more, 'more class', 'more classes')} of zones"


def _state(bar: Bar | None) -> str:
    if bar is None:
        return "open"
    return f"opens {local(bar.opens)}" if bar.opens else bar.reason


def describe_name(name: CampaignName) -> str:
    """Returns a campaign in words."""
    named = f"campaign {plain(name.campaign, 80)}"
    words = named if name.campaign else "documents without a campaign"
    return f"{words} of account {name.account}"


def describe_record(record: CampaignRecord) -> list[str]:
    """Returns what is set, a part each."""
    lines = []
    if record.timed:
        hours = ", ".join(describe_hours(*each) for each in record.hours) or "00:00-24:00"
        days = ",".join(DAYS[day] for day in record.days) or "every day"
        lines.append(f"hours {hours}, {days}, by each contact's own zone")
    if record.holidays:
        lines.append(f"no calls on {', '.join(record.holidays)}")
    if record.timed or record.zone:
        held = record.zone in {"", HOLD}
        lines.append(f"zone unknown: {'held' if held else record.zone}")
    if record.zone_field:
        lines.append(f"the field {plain(record.zone_field, 60)} of a document names its zone")
    if record.close_early is not None:
        lines.append(f"closes {record.close_early} s before the end")
    if record.pace is not None:
        lines.append(f"at most {record.pace:g} documents a minute")
    for word, ms in (("starts", record.starts), ("ends", record.ends)):
        if ms is not None:
            lines.append(f"{word} {local(datetime.fromtimestamp(ms / 1000, UTC))}")
    return lines
