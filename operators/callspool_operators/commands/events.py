"""`callspool events` and `journal`: what became of documents and calls, and who did what."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from callspool_ledger.reads.feed import (
    check_cursor,
    cursor_since,
    decode_cursor,
    join_page,
    read_feed,
    read_feed_is_off,
)
from callspool_ledger.reads.gates import KEPT, read_journal
from callspool_ledger.selectors import Selector
from callspool_operators.options import parsing
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import LedgerPlace, ledger_options, limit_option
from callspool_operators.terminal.report import Json, describe_selector, selector_object
from callspool_operators.terminal.wording import (
    format_count,
    json_line,
    local,
    local_of,
    plain,
    shorten_token,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_ledger.reads.feed import FeedEvent
    from callspool_ledger.reads.views import JournalEntry
    from callspool_operators.options.parsing import LaterMoment

PAUSE = 0.5
"""Seconds between two looks for events that are not there yet."""

PAGE = 1000
"""Events that are read at a time."""

FEED_IS_OFF = (
    "callspool: the feed is off, workers add no events to it: set CALLSPOOL_EVENTS=true for them, "
    "and start them again"
)

_FEED_EXAMPLES = """\b
Examples:
  callspool events --since 2h
  callspool events --follow
  callspool events --json | jq -r 'select(.type == "ended") | [.document_id, .outcome] | @csv'
"""


@click.command(epilog=_FEED_EXAMPLES)
@click.option("--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option(
    "--since", callback=parsing.earlier, metavar="WHEN", help="A span back (2h), or a time."
)
@click.option("--cursor", default="", metavar="CURSOR", help="Go on where an earlier one ended.")
@limit_option(None, 10_000_000, "End after this many.")
@ledger_options
def events(
    follow: bool,
    since: LaterMoment | None,
    cursor: str,
    limit: int | None,
    place: LedgerPlace,
    as_json: bool,
) -> None:
    """List what became of documents and calls, the oldest event that is kept first.

    With --json an event is a line, and after what was read at a time comes a line with the cursor
    behind it.
    """
    if since is not None and cursor:
        raise click.UsageError("--since and --cursor both say where to begin: give one of them")
    check_cursor(cursor)  # better known before Redis is asked
    left = sys.maxsize if limit is None else limit
    with ledger_reader(*place) as reader:
        if reader.ask(read_feed_is_off()):
            click.echo(FEED_IS_OFF, err=True)
        if since is not None:
            moment = datetime.fromtimestamp(max(0.0, since.at(time.time())), UTC)
            cursor = cursor_since(moment, reader.partitions)
        while left > 0:
            size = min(left, PAGE)
            reading = read_feed(decode_cursor(cursor, reader.partitions), size)
            page = join_page(reader.ask(reading), size)
            for event in page.events:
                click.echo(msgspec.json.encode(event) if as_json else event_line(event))
            left -= len(page.events)
            if as_json and (page.events or not cursor):
                click.echo(json_line({"cursor": page.cursor}))
            cursor = page.cursor
            if not page.events and not follow:
                break
            if not page.events:
                time.sleep(PAUSE)
    if not as_json:
        click.echo(f"cursor: {cursor}", err=True)


def event_line(event: FeedEvent) -> str:
    """Returns an event as people read it."""
    whose = plain(event.document_id, 40) + (f" ({plain(event.campaign)})" if event.campaign else "")
    of_call = event.outcome if event.type in {"ended", "evaluated"} else None
    told = of_call or (plain(event.reason, 60) if event.reason else "")
    words = local_of(event.time.timestamp()), f"{event.type:<10}", whose, told
    return "  ".join(each for each in words if each)


SET_CAMPAIGN = "set"
"""What the journal calls it when something is asked for by campaign."""

_JOURNAL_EXAMPLES = """\b
Examples:
  callspool journal
  callspool journal --limit 1000 --json | jq '.journal[] | select(.command == "cancel")'
"""


@click.command(epilog=_JOURNAL_EXAMPLES)
@limit_option(20, KEPT, "Show at most this many, the newest first.")
@ledger_options
def journal(limit: int, place: LedgerPlace, as_json: bool) -> None:
    """List what operators paused, cancelled, suppressed, confirmed and so on, the newest first.

    The ledger keeps the last 1,000 entries.
    """
    with ledger_reader(*place) as reader:
        entries = reader.ask(read_journal(limit))
    if as_json:
        click.echo(json_line({"journal": [journal_object(each) for each in entries]}))
        return
    for line in journal_lines(entries) or ["No operator has changed anything here yet."]:
        click.echo(line)


def journal_lines(entries: Sequence[JournalEntry]) -> list[str]:
    """Returns a line for each entry."""
    return [_line(each).rstrip() for each in entries]


def _line(entry: JournalEntry) -> str:
    deed = f"{entry.command} {_what(entry)}{_how_many(entry)}"
    note = f" ({plain(entry.note, 200)})" if entry.note else ""
    return f"{local(entry.at)}  {plain(entry.by, 80)}: {deed}{note}"


def journal_object(entry: JournalEntry) -> Json:
    """Returns an entry as scripts read it; its space token is shortened."""
    selector = selector_object(entry.selector)
    if entry.selector.space_token is not None:
        selector["space_token"] = shorten_token(entry.selector.space_token)
    return {
        "number": entry.number,
        "at": entry.at,
        "by": entry.by,
        "command": entry.command,
        "selector": {**selector, "document_id": entry.document_id},
        "documents": entry.documents,
        "messages": entry.messages,
        "opened": entry.opened,
        "note": entry.note or None,
        "list": entry.list or None,
        "numbers": entry.numbers,
    }


def _what(entry: JournalEntry) -> str:
    if entry.messages:
        return "unreadable messages"
    if entry.list:
        return f"list {entry.list}"
    if entry.is_about_keys and entry.selector == Selector():
        return ""
    if entry.document_id is None:
        return describe_selector(entry.selector)
    where = "" if not entry.selector.as_object() else f" ({describe_selector(entry.selector)})"
    return f"document {plain(entry.document_id, 100)}{where}"


def _how_many(entry: JournalEntry) -> str:
    if entry.is_about_keys:
        return ""
    if entry.messages:
        return f": {format_count(entry.messages, 'message')}"
    if entry.list:
        return f": {format_count(entry.numbers, 'number')}"
    if entry.command == SET_CAMPAIGN:
        return ""
    return f": {format_count(entry.documents, 'document')}"
