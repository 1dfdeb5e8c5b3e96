"""What `callspool suppress` reads from its arguments, and tells of numbers and lists."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callspool.settings import load_settings, redis_url_without_password
from callspool_operators.lists.number_lists import COUNTRY_UNKNOWN, fault_of_number
from callspool_operators.lists.source import STANDARD_INPUT
from callspool_operators.options import parsing
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.wording import format_count, json_line, local, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool_ledger.guard import AddedNumbers, ListSource, ListView
    from callspool_operators.lists.number_lists import CountryFilter
    from callspool_operators.options.options import LedgerPlace

_SHOWN_DOCUMENTS = 20
_SHOWN_SOURCES = 5


def _told_state(state: str) -> str:
    if state == "in_doubt":
        return "was sent, and is in doubt"
    return "was being sent, and is " + ("still being sent" if state == "sending" else state)


def tell_without_country(countries: CountryFilter) -> None:
    """Prints, on stderr, which numbers were left out since their country is not known."""
    if countries.others:
        more = f" and {countries.others - 1:,} more" if countries.others > 1 else ""
        click.echo(
            f"{shorten_number(countries.first)}{more} left out: {COUNTRY_UNKNOWN};"
            " --numbers-as-they-are takes it all the same",
            err=True,
        )


def tell_ledger(place: LedgerPlace, *, adds: bool) -> None:
    """Prints, on stderr, in which ledger the lists are; after ``adds``, which runs miss them."""
    if place.state_dir is not None:
        click.echo(f"Ledger: the state directory {plain(place.state_dir)}", err=True)
        return
    settings = load_settings(os.environ, overrides={"redis_url": place.redis_url})
    click.echo(f"Ledger: {redis_url_without_password(settings.redis_url)}", err=True)
    if adds:
        click.echo(
            "`callspool run` without --redis keeps lists of its own, and calls these numbers:"
            " add them there, too, with --state-dir DIR (`run` names DIR)",
            err=True,
        )


def tell_added(added: AddedNumbers, name: str, countries: CountryFilter, *, as_json: bool) -> int:
    """Prints what became of numbers that were added; returns the exit code."""
    tell_without_country(countries)
    code = Exit.NOT_ALL if added.unreadable or countries.others else Exit.DONE
    if as_json:
        found = {
            "list": name,
            "added": added.added,
            "known": added.known,
            "unreadable": added.unreadable,
            "without_country": countries.others,
            "being_sent": [one._asdict() for one in added.being_sent],
            "is_on_disk": added.is_on_disk,
        }
        click.echo(json_line(found))
        return code
    parts = [f"{format_count(added.added, 'number')} added"]
    if added.known:
        parts.append(f"{added.known:,} there already")
    if added.unreadable:
        parts.append(f"{added.unreadable:,} cannot be read as a number")
    click.echo(f"List {name}: {', '.join(parts)}.")
    for one in added.being_sent[:_SHOWN_DOCUMENTS]:
        click.echo(f"  {plain(one.document_id, 100)} {_told_state(one.state)}")
    if len(added.being_sent) > _SHOWN_DOCUMENTS:
        click.echo(f"  and {len(added.being_sent) - _SHOWN_DOCUMENTS:,} more (--json)")
    if not added.is_on_disk:
        click.echo(
            "Redis did not confirm that they are on its disk: a crash within a second may forget"
            " them (callspool doctor)."
        )
    if is_named_list(name):
        click.echo(
            f"It holds for campaigns that name it: callspool campaign set NAME --lists {name}"
        )
    return code


def tell_removed(removed: int, name: str, countries: CountryFilter, *, as_json: bool) -> int:
    """Prints how many numbers were taken off a list; returns the exit code."""
    tell_without_country(countries)
    if as_json:
        found = {"list": name, "removed": removed, "without_country": countries.others}
        click.echo(json_line(found))
    else:
        click.echo(f"{format_count(removed, 'number')} taken off the list {name}.")
    return Exit.NOT_ALL if countries.others else Exit.DONE


def tell_checked(
    given: Sequence[str],
    found: Sequence[ListSource | None],
    faults: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Prints which numbers would not be called; returns the exit code."""
    checked = [*zip(given, found, faults, strict=True)]
    if as_json:
        rows = [check_object(*each) for each in checked]
        click.echo(json_line({"numbers": rows, "suppressed": sum(map(bool, found))}))
    else:
        for number, source, fault in checked:
            why = source.reason if source else fault or "not on a list"
            click.echo(f"{shorten_number(number)}: {plain(why)}")
    return Exit.NOT_ALL if any(found) or any(faults) else Exit.DONE


def check_object(number: str, source: ListSource | None, fault: str) -> dict[str, object]:
    """Returns a number that was asked about, as scripts read it.

    ``fault``: why it cannot be said whether it is on a list; empty where it can.
    """
    return {
        "number": shorten_number(number),
        "suppressed": source is not None if source or not fault else None,
        "list": source.list if source else None,
        "since": _utc(source.since) if source else None,
        "until": _utc(source.till) if source else None,
        "source": source.source if source else None,
        "by": source.by if source else None,
        "fault": fault or None,
    }


def list_object(each: ListView) -> dict[str, object]:
    """Returns a list as scripts read it."""
    sources = [
        {
            "since": _utc(one.since),
            "until": _utc(one.till),
            "source": one.source,
            "by": one.by,
        }
        for one in each.sources
    ]
    return {"list": each.name, "numbers": each.numbers, "sources": sources}


def shorten_number(number: str) -> str:
    """Returns the last digits of a number, which tell numbers apart and no person."""
    digits = [sign for sign in number if sign.isdecimal()]
    return f"number …{''.join(digits[-2:])}"


def _utc(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None


def _moment(ms: int) -> str:
    return local(datetime.fromtimestamp(ms / 1000, UTC))


def list_lines(found: Sequence[ListView]) -> Iterator[str]:
    """Lists as people read them."""
    for each in found:
        yield f"{each.name}: {format_count(each.numbers, 'number')}"
        for source in each.sources[-_SHOWN_SOURCES:]:
            until = f" until {_moment(source.till)}" if source.till else ""
            text = plain(source.source, 60) or "no source"
            yield f"  since {_moment(source.since)}{until}: {text}, by {plain(source.by, 60)}"
        if len(each.sources) > _SHOWN_SOURCES:
            yield f"  and {len(each.sources) - _SHOWN_SOURCES:,} earlier sources (--json)"


numbers_argument = click.argument("numbers", nargs=-1, metavar="NUMBER...")
list_option = click.option(
    "--list", "list_", metavar="NAME", help="A named list.  [default: global]"
)
account_option = click.option(
    "--account", callback=parsing.account, metavar="NAME", help="The list of this account."
)
until_option = click.option(
    "--until",
    callback=parsing.later,
    metavar="90d|TIME",
    help="Until then: a span (90m, 2h, 90d, 2w) or 2027-12-01T18:00+05:30, up to the full hour.",
)
as_they_are_option = click.option(
    "--numbers-as-they-are",
    "as_they_are",
    is_flag=True,
    help="Take numbers without a country code, too: as +… and as Indian ones.",
)
source_option = click.option("--source", default="", metavar="TEXT", help="Where it comes from.")


def read_numbers(numbers: Sequence[str]) -> Iterator[str]:
    """Yields the numbers that were typed, or those of stdin, one a line."""
    if not numbers:
        raise click.UsageError("name a number, or - to read them from stdin, one a line")
    for number in numbers:
        if number == STANDARD_INPUT:
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield number


def refuse_if_none(numbers: Sequence[str], region: str | None) -> None:
    """Raises `click.UsageError` where nothing of what was typed is a number."""
    if STANDARD_INPUT in numbers:
        return
    faults = [fault_of_number(number, region, takes_all=True) for number in numbers]
    if faults and all(faults):
        raise click.UsageError(f"{plain(numbers[0], 40)} {faults[0]}")


def name_source(file: str) -> str:
    """Returns what a file is called as the source of entries."""
    return "standard input" if file == STANDARD_INPUT else Path(file).name


def is_named_list(name: str) -> bool:
    """Whether campaigns have to name a list for it to hold."""
    return name not in {"global", "as exported"} and not name.startswith("account:")
