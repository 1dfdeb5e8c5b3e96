"""`callspool events`: the feed of what became of documents and calls."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from callspool_ledger.reads.feed import (
    cursor_since,
    decode_cursor,
    join_page,
    read_feed,
    read_feed_is_off,
)
from callspool_operators.options import parsing
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import (
    json_option,
    limit_option,
    redis_option,
    state_dir_option,
)
from callspool_operators.terminal.wording import json_line, local_of, plain

if TYPE_CHECKING:
    from callspool_ledger.reads.feed import FeedEvent
    from callspool_operators.options.parsing import LaterMoment

PAUSE = 0.5
"""Seconds between two looks for events that are not there yet."""

PAGE = 1000
"""Events that are read at a time."""

FEED_IS_OFF = (
    "callspool: the feed is off, workers add no events to it: set CALLSPOOL_EVENTS=true for them, "
    "and start them again"
)

_EXAMPLES = """\b
Examples:
  callspool events --since 2h
  callspool events --follow
  callspool events --json | jq -r 'select(.type == "ended") | [.document_id, .outcome] | @csv'
"""


@click.command(epilog=_EXAMPLES)
@click.option("--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option(
    "--since", callback=parsing.earlier, metavar="WHEN", help="A span back (2h), or a time."
)
@click.option("--cursor", default="", metavar="CURSOR", help="Go on where an earlier one ended.")
@limit_option(None, 10_000_000, "End after this many.")
@redis_option
@state_dir_option
@json_option
def events(
    follow: bool,
    since: LaterMoment | None,
    cursor: str,
    limit: int | None,
    redis_url: str | None,
    state_dir: str | None,
    as_json: bool,
) -> None:
    """List what became of documents and calls, the oldest event that is kept first.

    With --json an event is a line, and after what was read at a time comes a line with the cursor
    behind it.
    """
    if since is not None and cursor:
        raise click.UsageError("--since and --cursor both say where to begin: give one of them")
    left = sys.maxsize if limit is None else limit
    with ledger_reader(redis_url, state_dir) as reader:
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
