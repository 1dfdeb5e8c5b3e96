"""What `callspool suppress` tells of numbers and lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.wording import format_count, json_line, local, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool_ledger.guard import AddedNumbers, ListSource, ListView

_SHOWN_DOCUMENTS = 20
_SHOWN_SOURCES = 5


def _told_state(state: str) -> str:
    if state == "in_doubt":
        return "was sent, and is in doubt"
    return "was being sent, and is " + ("still being sent" if state == "sending" else state)


def tell_added(added: AddedNumbers, name: str, *, as_json: bool, is_named: bool) -> int:
    """Prints what became of numbers that were added; returns the exit code."""
    if as_json:
        found = {
            "list": name,
            "added": added.added,
            "known": added.known,
            "unreadable": added.unreadable,
            "being_sent": [one._asdict() for one in added.being_sent],
            "is_on_disk": added.is_on_disk,
        }
        click.echo(json_line(found))
        return Exit.NOT_ALL if added.unreadable else Exit.DONE
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
    if is_named:
        click.echo(
            f"It holds for campaigns that name it: callspool campaign set NAME --lists {name}"
        )
    return Exit.NOT_ALL if added.unreadable else Exit.DONE


def check_object(number: str, source: ListSource | None) -> dict[str, object]:
    """Returns a number that was asked about, as scripts read it."""
    return {
        "number": shorten_number(number),
        "suppressed": source is not None,
        "list": source.list if source else None,
        "since": _utc(source.since) if source else None,
        "until": _utc(source.till) if source else None,
        "source": source.source if source else None,
        "by": source.by if source else None,
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
