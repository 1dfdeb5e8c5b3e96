"""`callspool dead` and `invalid`: what cannot be sent, and what workers refused."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec

from callspool_ledger.reads.dead import read_dead, read_refused, read_unreadable
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.reads.views import RefusalView, UnreadableView
from callspool_operators.commands.steering_ledger import (
    ask_to_go_on,
    steering,
    tell_each,
    yes_option,
)
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import (
    LedgerPlace,
    ledger_options,
    limit_option,
    with_options,
)
from callspool_operators.options.selecting import complete_token, document_option, selector_options
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.report import describe_selector, selector_object
from callspool_operators.terminal.wording import (
    format_count,
    json_line,
    local,
    plain,
    shorten_token,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_ledger.reads.reader import LedgerReader
    from callspool_ledger.reads.views import DeadView
    from callspool_ledger.selectors import Selector
    from callspool_ledger.steering import One, Steering


_INVALID_EXAMPLES = """\b
Examples:
  callspool invalid
  callspool invalid --limit 1000 --json | jq -r .document
"""


@click.command(epilog=_INVALID_EXAMPLES)
@limit_option(20, 10_000, "Show at most this many of each kind, the newest first.")
@ledger_options
def invalid(limit: int, place: LedgerPlace, as_json: bool) -> None:
    """List the documents and messages that workers refused last, with the reason.

    The ledger keeps the last 1,000 refused documents, and whole every message that no worker
    could read. With --json: one object a line, the document itself included.
    """
    with ledger_reader(*place) as reader:
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
    """Returns a refused document as people read it."""
    name = plain(refused.document_id or "", 100)
    place = "request" if refused.place is None else f"document {refused.place}"
    who = f"{place} ({name})" if name else place
    return (
        f"{local(refused.at)}  message {refused.message}, {who}:"
        f" {plain(refused.field, 60)}:"
        f" {plain(refused.reason)}"
    )


def message_line(unreadable: UnreadableView) -> str:
    """Returns an unreadable message as people read it."""
    size = format_count(unreadable.bytes, "byte")
    return (
        f"{local(unreadable.at)}  message {unreadable.message} ({size}), kept whole:"
        f" {plain(unreadable.reason)}"
    )


_EXAMPLES = """\b
Examples:
  callspool dead list --campaign spring
  callspool dead replay --document-id crm-17
  callspool dead drop --all
"""
_LIST_EXAMPLES = """\b
Examples:
  callspool dead list
  callspool dead list --campaign spring --limit 1000
  callspool dead list --json | jq -r '.documents[] | [.document_id, .reason] | @tsv'
"""
_REPLAY_EXAMPLES = """\b
Examples:
  callspool dead replay --document-id crm-17
  callspool dead replay --space-token 8KZ… --campaign spring
  callspool dead replay --messages
"""
_DROP_EXAMPLES = """\b
Examples:
  callspool dead drop --document-id crm-17
  callspool dead drop --all --yes --json
"""
_NOT_DEAD = {
    "w": "waits to be sent",
    "s": "is being sent",
    "d": "is in doubt, not dead",
    "c": "was created",
    "X": "was given up before; enqueue it anew to have it sent",
    "k": "was cancelled; enqueue it with --again to have it sent",
    "K": "was cancelled; enqueue it anew to have it sent",
    "e": "expired; enqueue it anew to have it sent",
}
_no_question_option = click.option("--yes", is_flag=True, hidden=True)
_messages_option = click.option(
    "--messages", is_flag=True, help="Take the messages that no worker could read instead."
)


@click.group("dead", epilog=_EXAMPLES)
def dead() -> None:
    """List, replay and drop what cannot be sent: documents, and unreadable messages."""


@dead.command("list", epilog=_LIST_EXAMPLES)
@document_option
@selector_options(required=False)
@limit_option(50, 100_000, "Show at most this many.")
@ledger_options
def list_(
    document_id: str | None, selector: Selector, limit: int, place: LedgerPlace, as_json: bool
) -> None:
    """List what cannot be sent, in the API's own words.

    Lists the newest first, and the messages that no worker could read, which are kept whole.
    """
    with ledger_reader(*place) as reader:
        selector = complete_token(selector, reader)
        documents, total = _documents(reader, document_id, selector, limit)
        everything = document_id is None and not selector.as_object()
        messages = reader.ask(read_unreadable(limit)) if everything else []
    if as_json:
        found = {
            "documents": [_as_object(each) for each in documents],
            "total": total,
            "more": total - len(documents),
            "messages": messages,
        }
        click.echo(json_line(found))
        return
    lines = [_line(each) for each in documents]
    if total > len(documents):
        lines.append(f"and {format_count(total - len(documents), 'document')} more (--limit)")
    lines += [
        f"{local(each.at)}  message {each.message} ({format_count(each.bytes, 'byte')}), kept"
        f" whole: {plain(each.reason)}"
        for each in messages
    ]
    for line in lines or ["Nothing is dead here."]:
        click.echo(line)


def _documents(
    reader: LedgerReader, document_id: str | None, selector: Selector, limit: int
) -> tuple[list[DeadView], int]:
    """The newest dead documents, and how many there are."""
    if document_id is None:
        return reader.ask(read_dead(selector, limit))
    every, _ = reader.ask(read_dead(selector, sys.maxsize))
    found = [each for each in every if each.document_id == document_id]
    return found[:limit], len(found)


def _as_object(each: DeadView) -> dict[str, object]:
    return {
        "document_id": each.document_id,
        **each.scope._asdict(),
        "lane": each.lane,
        "reason": each.reason,
        "at": each.at,
    }


def _line(each: DeadView) -> str:
    campaign = f", campaign {plain(each.scope.campaign, 40)}" if each.scope.campaign else ""
    return (
        f"{local(each.at)}  {plain(each.document_id, 100)} (space"
        f" {shorten_token(each.scope.space_token)}{campaign}): {plain(each.reason) or 'no reason'}"
    )


def _dead_options(command: Callable[..., Any]) -> Callable[..., Any]:
    selector = selector_options(required=True)
    return with_options(command, document_option, _messages_option, selector, ledger_options)


@dead.command("replay", epilog=_REPLAY_EXAMPLES)
@_dead_options
@_no_question_option
def replay(yes: bool, **given: Any) -> int:  # noqa: ARG001 - it asks nothing
    """Let dead documents wait again, with all their attempts ahead.

    Each keeps its identity, so nobody is called twice. A document that was enqueued again meanwhile
    is not replayed.
    """
    return _change("replay", "replayed", "waits again", yes=True, **given)


@dead.command("drop", epilog=_DROP_EXAMPLES)
@_dead_options
@yes_option
def drop(**given: Any) -> int:
    """Give up dead documents for good, and free their memory. Asks first; a script says --yes.

    They stay counted as dead, and are sent if they are enqueued again.
    """
    return _change("drop", "dropped", "is given up", **given)


def _change(
    verb: str,
    done: str,
    it: str,
    *,
    document_id: str | None,
    messages: bool,
    selector: Selector,
    yes: bool,
    place: LedgerPlace,
    as_json: bool,
) -> int:
    if messages and (document_id is not None or selector.as_object()):
        raise click.UsageError("--messages are of no document: leave the other flags out")
    with steering(place) as steer:
        selector = complete_token(selector, steer.reader)
        if verb == "drop" and not _agreed_to_drop(steer, document_id, messages, selector, yes):
            click.echo("Nothing was dropped.", err=True)
            return Exit.INTERRUPTED
        if document_id is not None:
            one: list[One] = getattr(steer, f"{verb}_one")(document_id, selector)
            return _tell_one(document_id, one, done, it, as_json)
        number = (
            getattr(steer, f"{verb}_messages")() if messages else getattr(steer, verb)(selector)
        )
    if as_json:
        selected = {} if messages else {"selector": selector_object(selector)}
        click.echo(json_line({done: number, "messages": messages, **selected}))
        return Exit.DONE
    what = format_count(number, "message" if messages else "dead document")
    click.echo(f"{what} {done}{'' if messages else f' ({describe_selector(selector)})'}.")
    return Exit.DONE


def _agreed_to_drop(
    steer: Steering, document_id: str | None, messages: bool, selector: Selector, yes: bool
) -> bool:
    if yes:
        return True
    if messages:
        many = steer.reader.ask(read_summary()).unreadable
        what = format_count(many, "unreadable message")
    elif document_id is not None:
        many, what = 1, plain(document_id, 100)
    else:
        many = steer.reader.ask(read_dead(selector, 1))[1]
        what = f"{format_count(many, 'dead document')} ({describe_selector(selector)})"
    return not many or ask_to_go_on(f"Give up {what} for good?", yes=False)


def _tell_one(document_id: str, found: list[One], done: str, it: str, as_json: bool) -> int:
    tell_each(document_id, found, done, it, _NOT_DEAD, as_json=as_json)
    again = {"replayed": "w", "dropped": "X"}[done]
    return Exit.DONE if any(one.done or one.letter == again for one in found) else Exit.NOT_ALL
