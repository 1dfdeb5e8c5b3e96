"""`callspool doubts`: documents in doubt that could not be proven, and what an operator decides."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click
import msgspec

from callspool.request.text import has_control_character
from callspool_ledger.reads.doubts import read_doubt, read_doubts
from callspool_ledger.reads.summary import read_clock
from callspool_operators.commands.steering_ledger import (
    Quiet,
    as_object,
    ask_to_go_on,
    doubting,
    lines_of,
    of_each,
    one_object,
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
from callspool_operators.terminal.wording import format_count, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_ledger.selectors import Selector
    from callspool_ledger.steering import Doubts, One

MOST_CHARACTERS = 200

_EXAMPLES = """\b
Examples:
  callspool doubts list --held
  callspool doubts confirm --document-id crm-17 --run-id R0123…
  callspool doubts confirm --campaign spring --held
  callspool doubts resend --document-id crm-17
"""
_NOT_IN_DOUBT = {
    "w": "waits to be sent, and is not in doubt",
    "s": "is being sent, and not in doubt",
    "c": "was created already",
    "x": "is dead, not in doubt (callspool dead list)",
    "X": "was given up (callspool dead drop); enqueue it anew to have it sent",
    "k": "was cancelled; enqueue it with --again to have it sent",
    "K": "was cancelled; enqueue it anew to have it sent",
    "e": "expired; enqueue it anew to have it sent",
}
_held_option = click.option(
    "--held", is_flag=True, help="Only documents that no look at the API can prove now."
)


@click.group("doubts", epilog=_EXAMPLES)
def doubts() -> None:
    """List, confirm and resend documents that may have been created, without proof."""


@doubts.command("list", epilog=_EXAMPLES)
@document_option
@selector_options(required=False)
@_held_option
@limit_option(50, 100_000, "Show at most this many.")
@ledger_options
def list_(
    document_id: str | None,
    selector: Selector,
    held: bool,
    limit: int,
    place: LedgerPlace,
    as_json: bool,
) -> None:
    """List documents in doubt, the longest in doubt first.

    Shows why each came into doubt, in the API's words if there are any, and how far its proof is:
    its space is being read back, or no look can prove it, with the reason. The end of the quiet
    period is computed from this machine's settings (CALLSPOOL_PROOF_QUIET…).
    """
    quiet = Quiet.of_settings()
    with ledger_reader(*place) as reader:
        selector = complete_token(selector, reader)
        if document_id is None:
            found, total = reader.ask(read_doubts(selector, limit, only_held=held))
        else:
            every = reader.ask(read_doubt(document_id, selector, only_held=held))
            found, total = every[:limit], len(every)
    if as_json:
        listed = [as_object(each, quiet) for each in found]
        click.echo(
            msgspec.json.encode({"documents": listed, "total": total, "more": total - len(found)})
        )
        return
    lines = lines_of(found, quiet)
    if total > len(found):
        lines.append(f"and {format_count(total - len(found), 'document')} more (--limit)")
    for line in lines or [f"Nothing is {'held' if held else 'in doubt'} here."]:
        click.echo(line)


def _steering_options(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def check_flags(**given: Any) -> Any:
        if given["document_id"] is not None and given["held"]:
            raise click.UsageError("--document-id names one document: leave --held out")
        return command(**given)

    selector = selector_options(required=True)
    return with_options(
        check_flags, document_option, selector, _held_option, yes_option, ledger_options
    )


@doubts.command("confirm", epilog=_EXAMPLES)
@_steering_options
@click.option("--run-id", metavar="ID", help="Run in which you found them, if you know it.")
@click.option("--task-id", metavar="ID", help="The task of the one document.")
def confirm(
    document_id: str | None,
    selector: Selector,
    held: bool,
    run_id: str | None,
    task_id: str | None,
    yes: bool,
    place: LedgerPlace,
    as_json: bool,
) -> int:
    """Count documents in doubt as created: you looked into the space, and they are there.

    They are not sent again. Documents that come into doubt after the question stay as they are.
    Name the run if you can: then no other attempt with the same contacts takes it for its own.
    """
    _check_id("--run-id", run_id)
    _check_id("--task-id", task_id)
    if task_id is not None and document_id is None:
        raise click.UsageError("--task-id is of one document: name it with --document-id")
    with doubting(place) as steer:
        selector = complete_token(selector, steer.reader)
        if document_id is not None:
            name = plain(document_id, 100)
            if task_id is not None and len(steer.reader.ask(read_doubt(document_id, selector))) > 1:
                raise click.UsageError(
                    f"{name} is in doubt more than once: name the task's --space-token, --campaign"
                    " or --account"
                )
            if not ask_to_go_on(f"Count {name} as created, wherever it is in doubt?", yes=yes):
                return _say_nothing_done("confirmed")
            one = steer.confirm_one(document_id, selector, run_id or "", task_id or "")
            return _tell_one(document_id, one, "confirmed", as_json)
        till_ms = steer.reader.ask(read_clock())
        many, waiting = _how_many(steer, selector, held)
        question = f"Count {many} as created, although nobody could prove it?{waiting}"
        if many and not ask_to_go_on(question, yes=yes):
            return _say_nothing_done("confirmed")
        done = steer.confirm(selector, run_id or "", only_held=held, till_ms=till_ms)
        return _tell(steer, selector, done, "confirmed", as_json)


@doubts.command("resend", epilog=_EXAMPLES)
@_steering_options
def resend(
    document_id: str | None,
    selector: Selector,
    held: bool,
    yes: bool,
    place: LedgerPlace,
    as_json: bool,
) -> int:
    """Send documents in doubt again without proof: a person who was called already is called twice.

    They wait again with all their attempts ahead. Documents that come into doubt after the question
    stay as they are.
    """
    with doubting(place) as steer:
        selector = complete_token(selector, steer.reader)
        if document_id is not None:
            name = plain(document_id, 100)
            question = f"Send {name} again, wherever it is in doubt? {_TWICE}"
            if not ask_to_go_on(question, yes=yes):
                return _say_nothing_done("sent again")
            one = steer.resend_one(document_id, selector)
            return _tell_one(document_id, one, "resent", as_json)
        till_ms = steer.reader.ask(read_clock())
        many, waiting = _how_many(steer, selector, held)
        question = f"Send {many} again without proof? {_TWICE}{waiting}"
        if many and not ask_to_go_on(question, yes=yes):
            return _say_nothing_done("sent again")
        done = steer.resend(selector, only_held=held, till_ms=till_ms)
        return _tell(steer, selector, done, "resent", as_json)


_TWICE = "A person whose call was created already is called twice."
_DONE = {"confirmed": "counts as created", "resent": "waits again"}
_AGAIN = {"confirmed": "c", "resent": "w"}


def _check_id(option: str, given: str | None) -> None:
    if given is not None and not (
        0 < len(given.strip()) <= MOST_CHARACTERS and not has_control_character(given)
    ):
        raise click.UsageError(f"{option}: an id has 1 to {MOST_CHARACTERS} visible characters")


def _how_many(steer: Doubts, selector: Selector, held: bool) -> tuple[str, str]:
    """How many documents are meant, in words ("" for none); and how many may yet be proven."""
    _, total = steer.reader.ask(read_doubts(selector, 1, only_held=held))
    unproven = 0 if held else total - steer.reader.ask(read_doubts(selector, 1, only_held=True))[1]
    if not total:
        return "", ""
    many = format_count(total, "document in doubt", "documents in doubt")
    yet = f" Workers may yet prove {unproven:,} of them (leave those out with --held)."
    return f"{many} ({describe_selector(selector)})", yet if unproven else ""


def _say_nothing_done(done: str) -> int:
    click.echo(f"Nothing was {done}.", err=True)
    return Exit.INTERRUPTED


def _tell(steer: Doubts, selector: Selector, number: int, done: str, as_json: bool) -> int:
    left = steer.reader.ask(read_doubts(selector, 1))[1]
    if as_json:
        found = {"selector": selector_object(selector), done: number, "in_doubt": left}
        click.echo(msgspec.json.encode(found))
        return Exit.DONE
    click.echo(f"{format_count(number, 'document')} {done} ({describe_selector(selector)}).")
    if left:
        click.echo(f"{format_count(left, 'document is', 'documents are')} still in doubt.")
    return Exit.DONE


def _tell_one(document_id: str, found: list[One], done: str, as_json: bool) -> int:
    if as_json:
        click.echo(msgspec.json.encode(one_object(document_id, done, found)))
    for line in [] if as_json else of_each(document_id, found, _DONE[done], _NOT_IN_DOUBT):
        click.echo(line)
    is_so = any(one.done or one.letter == _AGAIN[done] for one in found)
    return Exit.DONE if is_so else Exit.NOT_ALL
