"""`callspool show`: one document's whole story."""

import importlib
import os
import re
from typing import Any

import click

from callspool.request.identity import made_document_id
from callspool.settings import load_settings
from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.views import AttemptLine, Story
from callspool_ledger.selectors import Selector
from callspool_operators.commands.events import journal_lines, journal_object
from callspool_operators.options import parsing
from callspool_operators.options.connection import hint_at_runs, ledger_reader
from callspool_operators.options.options import (
    json_option,
    redis_option,
    region_option,
    state_dir_option,
)
from callspool_operators.options.selecting import complete_token, narrow_each
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.screen import paint
from callspool_operators.terminal.wording import (
    format_count,
    json_line,
    local,
    plain,
    shorten_token,
    span,
    state_dir_flag,
)

_EXAMPLES = """\b
Examples:
  callspool show crm-17
  callspool show crm-17 --campaign spring --json
  callspool show --number +14155550100
  callspool show --number "98765 43210" --region IN
"""
_COMMAND = re.compile(r"(`callspool (?!run)[^`]+)(?=`)")


@click.command(epilog=_EXAMPLES)
@click.argument("document_id", required=False)
@click.option(
    "--number",
    metavar="NUMBER",
    help="Find a contact that was sent without an id by this phone number.",
)
@region_option
@click.option(
    "--space-token",
    metavar="TOKEN",
    help="Only in this space; the beginning that is shown (8KZ1…) is enough.",
)
@click.option(
    "--campaign", callback=parsing.name, metavar="NAME", help="Only in this campaign ('' for none)."
)
@click.option(
    "--account",
    callback=parsing.account,
    shell_complete=parsing.accounts,
    metavar="NAME",
    help="Only of this account.",
)
@redis_option
@state_dir_option
@json_option
@click.pass_context
def show(
    ctx: click.Context,
    document_id: str | None,
    number: str | None,
    region: str | None,
    space_token: str | None,
    campaign: str | None,
    account: str | None,
    redis_url: str | None,
    state_dir: str | None,
    as_json: bool,
) -> None:
    """Show the history of one document, in every account, space and campaign that has it.

    Shows when it was accepted, each attempt and its answer, its ids at the API and what comes next,
    or the command that would change that. Exits with 1 if no such document is known.
    """
    document_id = _choose_id(document_id, number, region)
    with ledger_reader(redis_url, state_dir) as reader:
        only = complete_token(Selector(account, space_token, campaign), reader)
        stories = narrow_each(
            reader.ask(read_stories(document_id, account, only.space_token, campaign)), only
        )
    if as_json:
        found = {"document_id": document_id, "stories": [_as_object(story) for story in stories]}
        click.echo(json_line(found))
    for story in [] if as_json else stories:
        click.echo("\n".join(map(paint, lines_of(story, state_dir))))
    if not stories:
        hint = "" if state_dir or redis_url else hint_at_runs()
        if number is not None:
            click.echo(
                "callspool: --number finds contacts that were sent without an id; those that have"
                " one are found by it: callspool results LIST shows the ids of a list",
                err=True,
            )
        click.echo(
            f"callspool: no document {plain(document_id, 100)} is known here: it is still in the"
            " queue (callspool status), was refused (callspool invalid), was never enqueued, or was"
            f" settled longer ago than documents are remembered{hint and f'; {hint}'}",
            err=True,
        )
        ctx.exit(Exit.NOT_ALL)


def _choose_id(document_id: str | None, number: str | None, region: str | None) -> str:
    """The id that was given, or the one that is made from a number."""
    if document_id and number is None:
        return document_id
    if number is None or document_id:
        both = "not both: " if document_id and number is not None else ""
        raise click.UsageError(f"{both}give a document's id, or --number for a contact without one")
    region = region or load_settings(os.environ).region
    # Who gives an id need not wait for the library of phone numbers.
    phones: Any = importlib.import_module("callspool.request.phones")
    try:
        return made_document_id(phones.identify(number.strip(), region))
    except phones.NumberError as fault:
        raise click.UsageError(f"--number {fault}") from None


def _as_object(story: Story) -> dict[str, object]:
    fields = {name: getattr(story, name) for name in Story.__struct_fields__}
    fields["journal"] = [journal_object(entry) for entry in story.journal]
    return {**fields.pop("scope")._asdict(), **fields}


def lines_of(story: Story, state_dir: str | None = None) -> list[str]:
    """Returns the story as people read it; its commands lead to the ledger in ``state_dir``."""
    account, space_token, campaign = story.scope
    rows = [
        ("account", plain(account)),
        ("space", plain(shorten_token(space_token))),
        ("campaign", plain(campaign) or "(none)"),
        ("accepted", local(story.accepted_at)),
        ("key", story.key or ""),
        ("expires", local(story.expires_at) if story.expires_at else ""),
        ("settled", local(story.settled_at) if story.settled_at else ""),
        ("run", story.run_id or ""),
        ("task", story.task_id or ""),
        ("why", plain(story.reason or "")),
        ("call", _describe_call(story)),
        ("batch", f"{story.batch} of lane {story.lane}"),
    ]
    state = story.state.replace("_", " ")
    flag = state_dir_flag(state_dir)
    next_step = _COMMAND.sub(lambda found: found[1] + flag, story.next_step)
    return [
        f"{plain(story.document_id, 100)}: {state}",
        *(f"  {name:<8}  {value}" for name, value in rows if value),
        *(f"  {_attempt(each)}" for each in story.attempts),
        *(f"  {line}" for line in journal_lines(story.journal)),
        f"  next: {next_step}",
    ]


def _describe_call(story: Story) -> str:
    """What became of the call of a created document, as far as it is known."""
    call, outcome = story.call, (story.outcome or "").replace("_", " ")
    if call is None:
        return outcome
    words = ", ".join(plain(word) for word in (call.call_status, call.end_reason) if word)
    parts = [f"{outcome} ({words})" if words else outcome]
    parts += [f"rang {format_count(call.rings, 'time')}"] if call.rings else []
    parts += [f"began {local(call.started_at)}"] if call.started_at else []
    parts += [f"ended {local(call.ended_at)}"] if call.ended_at else []
    parts += [f"lasted {span(call.duration)}"] if call.duration else []
    return ", ".join(parts)


def _attempt(each: AttemptLine) -> str:
    code = f" ({each.code})" if each.code else ""
    detail = f": {plain(each.detail)}" if each.detail else ""
    return (
        f"attempt {each.number}, {local(each.at)}: {each.outcome.replace('_', ' ')}{code}"
        f" after {span(each.seconds)}, {format_count(each.documents, 'document')}{detail}"
    )
