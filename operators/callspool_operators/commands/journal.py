"""`callspool journal`: who did what, and when."""

from collections.abc import Sequence

import click

from callspool_ledger.reads.gates import KEPT, read_journal
from callspool_ledger.reads.views import JournalEntry
from callspool_ledger.selectors import Selector
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import (
    json_option,
    limit_option,
    redis_option,
    state_dir_option,
)
from callspool_operators.terminal.report import Json, describe_selector, selector_object
from callspool_operators.terminal.wording import (
    format_count,
    json_line,
    local,
    plain,
    shorten_token,
)

SET_CAMPAIGN = "set"
"""What the journal calls it when something is asked for by campaign."""

_EXAMPLES = """\b
Examples:
  callspool journal
  callspool journal --limit 1000 --json | jq '.journal[] | select(.command == "cancel")'
"""


@click.command(epilog=_EXAMPLES)
@limit_option(20, KEPT, "Show at most this many, the newest first.")
@redis_option
@state_dir_option
@json_option
def journal(limit: int, redis_url: str | None, state_dir: str | None, as_json: bool) -> None:
    """List what operators paused, cancelled, suppressed, confirmed and so on, the newest first.

    The ledger keeps the last 1,000 entries.
    """
    with ledger_reader(redis_url, state_dir) as reader:
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
    """An entry as scripts read it; the space token shortened, as everywhere in the journal."""
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
