"""`callspool invalid`: what workers refused, and why."""

import click
import msgspec

from callspool_ledger.reads.dead import read_refused, read_unreadable
from callspool_ledger.reads.views import RefusalView, UnreadableView
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import (
    json_option,
    limit_option,
    redis_option,
    state_dir_option,
)
from callspool_operators.terminal.wording import format_count, json_line, local, plain

_EXAMPLES = """\b
Examples:
  callspool invalid
  callspool invalid --limit 1000 --json | jq -r .document
"""


@click.command(epilog=_EXAMPLES)
@limit_option(20, 10_000, "The newest of each kind, at most.")
@redis_option
@state_dir_option
@json_option
def invalid(limit: int, redis_url: str | None, state_dir: str | None, as_json: bool) -> None:
    """List the documents and messages that workers refused last, with the reason.

    The ledger keeps the last 1,000 refused documents, and whole every message that no worker
    could read. With --json: one object a line, the document itself included.
    """
    with ledger_reader(redis_url, state_dir) as reader:
        documents, messages = reader.ask(read_refused(limit)), reader.ask(read_unreadable(limit))
    if as_json:
        for found in (*documents, *messages):
            kind = "document" if isinstance(found, RefusalView) else "message"
            click.echo(json_line({"kind": kind, **msgspec.to_builtins(found)}))
        return
    if not documents and not messages:
        click.echo("No document and no message was refused here.")
    for document in documents:
        click.echo(document_line(document))
    for message in messages:
        click.echo(message_line(message))


def document_line(refused: RefusalView) -> str:
    """A refused document as people read it."""
    name = plain(refused.document_id or "", 100)
    place = "request" if refused.place is None else f"document {refused.place}"
    who = f"{place} ({name})" if name else place
    return (
        f"{local(refused.at)}  message {refused.message}, {who}:"
        f" {plain(refused.field, 60)}:"
        f" {plain(refused.reason)}"
    )


def message_line(unreadable: UnreadableView) -> str:
    """An unreadable message as people read it."""
    size = format_count(unreadable.bytes, "byte")
    return (
        f"{local(unreadable.at)}  message {unreadable.message} ({size}), kept whole:"
        f" {plain(unreadable.reason)}"
    )
