"""`callspool suppress`: numbers that must not be called."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from callspool.settings import load_settings
from callspool_ledger.guard import ListNameError, Suppression, list_name
from callspool_operators.commands.steering_ledger import operator
from callspool_operators.commands.suppression_lines import (
    account_option,
    as_they_are_option,
    list_lines,
    list_object,
    list_option,
    name_source,
    numbers_argument,
    read_numbers,
    refuse_if_none,
    source_option,
    tell_added,
    tell_checked,
    tell_ledger,
    tell_removed,
    until_option,
)
from callspool_operators.lists.number_lists import (
    CountryFilter,
    check_lists,
    fault_of_number,
    is_export,
    numbers_in,
    read_export,
    refuse_lists,
    write_export,
)
from callspool_operators.lists.source import STANDARD_INPUT, Source
from callspool_operators.options import parsing
from callspool_operators.options.clients import ledger_clients
from callspool_operators.options.options import (
    LedgerPlace,
    encoding_option,
    ledger_options,
    map_option,
    region_option,
    sheet_option,
    with_options,
)
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.screen import Progress
from callspool_operators.terminal.wording import format_count, json_line, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from callspool_ledger.reads.campaigns import CampaignName


_EXAMPLES = """\b
Examples:
  callspool suppress check "+14155550123" --account acme
  callspool suppress remove "+14155550123"
  callspool suppress export -o suppression-backup.csv
  callspool suppress lists --json
"""
_ADD_EXAMPLES = """\b
Examples:
  callspool suppress add "+14155550123" --source "asked by mail"
  callspool suppress add --account acme --until 90d "+14155550123"
  psql -Atc 'select number from opt_outs' | callspool suppress add - --source crm
"""
_IMPORT_EXAMPLES = """\b
Examples:
  callspool suppress import opt-outs.csv --region IN
  callspool suppress import customers.xlsx --list customers --map "Mobile no."=contact_number
  callspool suppress import suppression-backup.csv      # what export wrote
"""


@click.group("suppress", epilog=_EXAMPLES)
def suppress() -> None:
    """Keep numbers from being called: in force when the command has returned.

    The list `global` holds for all accounts and campaigns, that of an account (--account) for its
    campaigns, and a named one (--list) for the campaigns that name it.
    """


def _command(
    name: str, *options: Callable[..., Any], epilog: str = ""
) -> Callable[[Callable[..., Any]], click.Command]:
    """A command of the group, with the options that all of them have."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        decorated = with_options(function, *options, ledger_options)
        return suppress.command(name, epilog=epilog)(decorated)

    return decorate


@_command(
    "add",
    numbers_argument,
    list_option,
    account_option,
    until_option,
    source_option,
    region_option,
    as_they_are_option,
    epilog=_ADD_EXAMPLES,
)
def add(
    numbers: Sequence[str],
    list_: str | None,
    account: str | None,
    until: parsing.LaterMoment | None,
    source: str,
    region: str | None,
    as_they_are: bool,
    place: LedgerPlace,
    as_json: bool,
) -> int:
    """Put numbers on a list. `-` reads them from stdin, one a line.

    Once this has returned, no create-call that holds one of them begins. What was being sent at
    that moment is waited for, 10 seconds at most, and named.
    """
    name = _name(list_, account)
    countries = CountryFilter(_region(region), takes_all=as_they_are)
    refuse_if_none(numbers, _region(region))
    with _lists(place, region, adds=True) as lists:
        till_ms = _till(until, lists)
        coming = countries.keep(read_numbers(numbers))
        added = lists.add(coming, name, till_ms=till_ms, source=plain(source, 100))
    return tell_added(added, name, countries, as_json=as_json)


@_command(
    "remove", numbers_argument, list_option, account_option, region_option, as_they_are_option
)
def remove(
    numbers: Sequence[str],
    list_: str | None,
    account: str | None,
    region: str | None,
    as_they_are: bool,
    place: LedgerPlace,
    as_json: bool,
) -> int:
    """Take numbers off a list: they may be called again.

    Documents that were cancelled meanwhile stay so; enqueued anew, they are called.
    """
    name = _name(list_, account)
    countries = CountryFilter(_region(region), takes_all=as_they_are)
    with _lists(place, region) as lists:
        removed = lists.remove(countries.keep(read_numbers(numbers)), name)
    return tell_removed(removed, name, countries, as_json=as_json)


@_command(
    "check",
    numbers_argument,
    click.option(
        "--campaign", callback=parsing.name, default="", metavar="NAME", help="In this campaign."
    ),
    account_option,
    region_option,
    as_they_are_option,
)
def check(
    numbers: Sequence[str],
    campaign: str,
    account: str | None,
    region: str | None,
    as_they_are: bool,
    place: LedgerPlace,
    as_json: bool,
) -> int:
    """Show which numbers would not be called now, and why. Exits with 1 if one would not.

    So it does where it cannot be said: a number that has no country code, or is none.
    """
    given = [*read_numbers(numbers)]
    with _lists(place, region) as lists:
        found = lists.check(given, account=account or "default", campaign=campaign)
    chosen = _region(region)
    faults = [fault_of_number(each, chosen, takes_all=as_they_are) for each in given]
    return tell_checked(given, found, faults, as_json=as_json)


@_command(
    "import",
    click.argument(
        "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True)
    ),
    list_option,
    account_option,
    until_option,
    source_option,
    map_option,
    region_option,
    encoding_option,
    sheet_option,
    as_they_are_option,
    epilog=_IMPORT_EXAMPLES,
)
def import_(
    files: Sequence[str],
    list_: str | None,
    account: str | None,
    until: parsing.LaterMoment | None,
    source: str,
    columns: Mapping[str, str],
    region: str | None,
    encoding: str | None,
    sheet: str | None,
    as_they_are: bool,
    place: LedgerPlace,
    as_json: bool,
) -> int:
    """Put the numbers of files on a list, or restore what `export` wrote.

    Files are read as `callspool send` reads them; only the columns of numbers count, and a file
    that holds nothing but numbers needs no names of columns. Safe to repeat.
    """
    name = _name(list_, account)
    chosen, code = _region(region), Exit.DONE
    has_lists = bool(list_ or account or until)
    for file in check_lists(files, columns, encoding, sheet):
        refuse_lists(file, has_lists)
    with _lists(place, region, adds=True) as lists:
        till_ms = _till(until, lists)
        for file in files:
            countries = CountryFilter(chosen, takes_all=as_they_are)
            with Source(file, None, encoding, sheet) as opened:
                if is_export(opened):
                    refuse_lists(file, has_lists)
                    key, entries = read_export(opened)
                    added, shown = lists.restore(key, entries), "as exported"
                else:
                    added = lists.add(
                        countries.keep(numbers_in(opened, columns, chosen)),
                        name,
                        till_ms=till_ms,
                        source=plain(source or name_source(file), 100),
                    )
                    shown = name
            told = tell_added(added, shown, countries, as_json=as_json)
            code = Exit.NOT_ALL if Exit.NOT_ALL in {code, told} else Exit.DONE
    return code


@_command(
    "export",
    click.option(
        "-o",
        "--output",
        default=STANDARD_INPUT,
        type=click.Path(allow_dash=True),
        metavar="FILE",
        help="Where to write; - is stdout.  [default: -]",
    ),
)
def export(output: str, place: LedgerPlace, as_json: bool) -> int:
    """Write all lists into a file that `import` restores: against a Redis that forgets.

    It holds digests and the key that they were made with, no numbers. With the file one can
    test whether a number is on a list: keep it as secret as the numbers.
    """
    if as_json and output == STANDARD_INPUT:
        raise click.UsageError("--json prints a summary on stdout: name a file (-o)")
    with _lists(place, None) as lists:
        written = write_export(output, lists.read_key(), lists.export())
    if as_json:
        click.echo(json_line({"entries": written, "output": output}))
    elif output != STANDARD_INPUT:
        click.echo(f"{format_count(written, 'entry', 'entries')} written to {plain(output)}")
    return Exit.DONE


@_command("lists")
def lists_(place: LedgerPlace, as_json: bool) -> int:
    """Show every list: how many numbers it holds, since when, and what put them there."""
    with _lists(place, None) as lists:
        found = lists.lists()
    if as_json:
        click.echo(json_line({"lists": [list_object(each) for each in found]}))
        return Exit.DONE
    for line in list_lines(found):
        click.echo(line)
    if not found:
        click.echo("There is no list: nothing is kept from being called.")
    return Exit.DONE


@contextmanager
def _lists(
    place: LedgerPlace, region: str | None, *, adds: bool | None = False
) -> Iterator[Suppression]:
    """The lists; says whose they are once the command is done, unless ``adds`` is None."""
    region = _region(region)
    begun = ledger_clients(*place, may_begin=True)
    with begun as clients, Progress(None, quiet=True) as progress:

        def tell(numbers: int) -> None:
            progress.update(numbers, lambda: format_count(numbers, "number"))

        yield Suppression(clients, operator(), region=region, tell=tell)
    if adds is not None:
        tell_ledger(place, adds=adds)


def _region(given: str | None) -> str | None:
    return given or load_settings(os.environ).region


def lists_of_campaign(
    name: CampaignName, place: LedgerPlace, change: Sequence[str] | None = None
) -> list[str]:
    """Returns the named lists that hold for a campaign; ``change`` replaces them before."""
    with _lists(place, None, adds=None) as lists:
        if change is not None:
            lists.apply(change, **name._asdict())
        return lists.read_applied(**name._asdict())


def _name(list_: str | None, account: str | None) -> str:
    try:
        return list_name(list_, account)
    except ListNameError as wrong:
        raise click.UsageError(str(wrong)) from None


def _till(until: parsing.LaterMoment | None, lists: Suppression) -> int:
    """The end in ms, rounded up to the hour: entries of one hour then have one source."""
    if until is None:
        return 0
    now = lists.read_clock()
    if until.at(now) <= now:
        raise click.UsageError("--until: that time is over, so the numbers would be called")
    return math.ceil(until.at(now) / 3600) * 3_600_000
