"""`callspool campaign`: when, how fast and between which dates a campaign's contacts are called."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from callspool.hours.record import CampaignError
from callspool.request.identity import DEFAULT_ACCOUNT, is_account_name
from callspool.request.text import fault_of_word
from callspool_ledger.guard import ListNameError, list_name
from callspool_ledger.reads.campaigns import CampaignName, describe_zones
from callspool_ledger.steering import Campaigns
from callspool_ledger.steering.campaigns import Caps
from callspool_operators.commands.caps import (
    CapChange,
    cap_lines,
    cap_options,
    cap_scope_option,
)
from callspool_operators.commands.steering_ledger import open_ledger, operator
from callspool_operators.commands.suppress import lists_of_campaign
from callspool_operators.options import parsing
from callspool_operators.options.options import LedgerPlace, ledger_options
from callspool_operators.preparing.campaigns import (
    campaign_object,
    cap_objects,
    caps_of,
    change_record,
    classes_of,
    describe_change,
    describe_name,
    describe_record,
    read_fields,
    warn_of_names,
)
from callspool_operators.preparing.forecast import warn_of_platform
from callspool_operators.terminal.wording import format_count, json_line, local, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool_ledger.reads.campaigns import Bar, CampaignTables, CampaignView
    from callspool_ledger.steering.campaigns import CapView

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
  callspool campaign set spring --cap 1/24h --cap 3/7d
  callspool campaign set --cap 5/30d --cap-scope installation
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
    "cap": {},
}
"""What each option of `unset` takes away: fields of a record, and what they are without it."""

MOST_CLASSES_SHOWN = 20


def _read_lists(_: click.Context, __: click.Parameter, given: str | None) -> list[str] | None:
    try:
        return None if given is None else [list_name(each.strip()) for each in given.split(",")]
    except ListNameError as wrong:
        raise click.BadParameter(str(wrong)) from None


def _read_name_if_given(
    ctx: click.Context, param: click.Parameter, given: str | None
) -> str | None:
    return None if given is None else _read_name(ctx, param, given)


def _read_name(ctx: click.Context, param: click.Parameter, given: str) -> str:
    name = parsing.name(ctx, param, given) or ""
    if name and (fault := fault_of_word(name)):
        raise click.BadParameter(fault)
    return name


_name = click.argument("name", callback=_read_name)
_name_unless_caps = click.argument("name", required=False, callback=_read_name_if_given)
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
@_name_unless_caps
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
@click.option(
    "--lists",
    metavar="A,B",
    callback=_read_lists,
    help="Named lists of numbers that it does not call.",
)
@cap_options
@ledger_options
def set_(name: str | None, account: str, place: LedgerPlace, as_json: bool, **given: Any) -> None:
    """Set hours, days, holidays, zone, pace, start, end or caps; what is not named stays as it is.

    Without a name, --cap-scope installation or account sets caps for more than one campaign.
    """
    given = {option: value for option, value in given.items() if value not in (None, ())}
    if not given:
        raise click.UsageError("say what to set, as --hours 09:00-20:00 or --cap 3/7d")
    change = given.pop("lists", None)
    with _said_as_wrong_use():  # better known before Redis is asked
        read_fields(given)
        cap_change = CapChange.from_options(given)
    about = _about(name, account, cap_change, is_else=bool(given) or change is not None)
    with _campaigns(place, may_begin=True) as (campaigns, caps):
        if given:
            campaigns.set(*about, partial(change_record, given), describe_change(given))
        if cap_change:
            caps.set(cap_change.caps, **cap_change.names_of(about))
        found, views = campaigns.read(), caps.read()
    if "hours" in given:
        warn_of_platform(found.campaigns[about].record)
    for line in warn_of_names(found, views, about) if name is not None else ():
        click.echo(line, err=True)
    ends = found.campaigns[about].record.ends if "ends" in given else None
    if ends is not None and ends <= found.now_ms:
        click.echo("warning: that end is past: whatever waits in the campaign expires", err=True)
    lists = lists_of_campaign(about, place, change)
    _tell(found, about, lists, views, as_json, is_named=name is not None)
    if cap_change and not as_json:
        click.echo("Calls count that were made since a cap held for them; earlier ones do not.")


@campaign.command("unset", epilog=_UNSET_EXAMPLES)
@_name_unless_caps
@_account
@cap_scope_option
@ledger_options
def unset(
    name: str | None,
    account: str,
    place: LedgerPlace,
    as_json: bool,
    cap_scope: str | None,
    **given: bool,
) -> None:
    """Take back what was set: what is named, or all of it."""
    chosen = [option for option, is_named in given.items() if is_named] or [*_FIELDS]
    change: list[str] | None = [] if "lists" in chosen else None
    of_caps = {"cap": "cap" in chosen, "cap_scope": cap_scope}
    cleared = {field: value for option in chosen for field, value in _FIELDS[option].items()}
    with _said_as_wrong_use():
        cap_change = CapChange.from_options(of_caps, takes_back=True)
    about = _about(name, account, cap_change, is_else=chosen != ["cap"])
    with _campaigns(place) as (campaigns, caps):
        every = len(chosen) == len(_FIELDS)
        detail = describe_change({}, "anything" if every else ", ".join(chosen).replace("_", "-"))
        if cleared or change is not None:
            campaigns.set(*about, lambda record: record.change(**cleared), detail)
        if cap_change and caps_of(caps.read(), about):
            caps.set((), **cap_change.names_of(about))
        found, views = campaigns.read(), caps.read()
    lists = lists_of_campaign(about, place, change)
    _tell(found, about, lists, views, as_json, is_named=name is not None)


for _option in _FIELDS:
    _flag = f"--{_option.replace('_', '-')}"
    unset = click.option(_flag, is_flag=True, help=f"Take back {_flag}.")(unset)


@campaign.command("show")
@_name
@_account
@ledger_options
def show(name: str, account: str, place: LedgerPlace, as_json: bool) -> None:
    """Show what is set for a campaign, and which classes of zones are open."""
    about = _about(name, account, None, is_else=True)
    with _campaigns(place) as (campaigns, caps):
        found, views = campaigns.read(), caps.read()
    _tell(found, about, lists_of_campaign(about, place), views, as_json)


@campaign.command("list")
@ledger_options
def list_(place: LedgerPlace, as_json: bool) -> None:
    """List the campaigns for which something is set."""
    with _campaigns(place) as (campaigns, caps):
        found, cap_views = campaigns.read(), caps.read()
    views = [found.campaigns[name] for name in sorted(found.campaigns)]
    if as_json:
        objects = [campaign_object(found, view.name) for view in views]
        click.echo(json_line({"campaigns": objects, "caps": cap_objects(cap_views)}))
        return
    for view in views:
        click.echo(f"{describe_name(view.name)}: {'; '.join(describe_record(view.record))}")
    for line in cap_lines(cap_views):
        click.echo(line)
    if not views and not cap_views:
        click.echo("Nothing is set for any campaign: calls may begin at any time.")


@contextmanager
def _campaigns(place: LedgerPlace, *, may_begin: bool = False) -> Iterator[tuple[Campaigns, Caps]]:
    """Raises `click.UsageError` for what was asked for and cannot be."""
    with open_ledger(place, may_begin=may_begin) as (clients, tell), _said_as_wrong_use():
        yield Campaigns(clients, operator(), tell), Caps(clients, operator())


@contextmanager
def _said_as_wrong_use() -> Iterator[None]:
    try:
        yield
    except CampaignError as fault:
        raise click.UsageError(str(fault)) from None


def _about(
    name: str | None, account: str, caps: CapChange | None, *, is_else: bool
) -> CampaignName:
    """The campaign that was named; caps of the installation or an account need none."""
    if not is_account_name(account):
        raise click.UsageError(f"--account {plain(account, 60)}: is no name of an account")
    if name is None and (is_else or caps is None or caps.scope == "campaign"):
        raise click.UsageError("name the campaign; '' means the documents without one")
    return CampaignName(account, name or "")


def _tell(
    found: CampaignTables,
    name: CampaignName,
    lists: Sequence[str],
    views: Sequence[CapView],
    as_json: bool,
    *,
    is_named: bool = True,
) -> None:
    caps = caps_of(views, name)
    if as_json:
        told = {**campaign_object(found, name), "lists": lists, "caps": cap_objects(caps)}
        click.echo(json_line(told))
        return
    for line in cap_lines(caps):
        click.echo(line)
    if not is_named:
        return
    view = found.campaigns.get(name)
    if lists:
        click.echo(f"{describe_name(name)} does not call who is on the lists {', '.join(lists)}.")
    if view is None:
        what = "no hours are set" if lists or caps else "nothing is set"
        click.echo(f"{describe_name(name)}: {what}; calls may begin at any time.")
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
    by = ", by the platform's hours" if bar.platform else ""
    return f"opens {local(bar.opens)}{by}" if bar.opens else bar.reason
