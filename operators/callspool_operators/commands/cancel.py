"""`callspool cancel`: documents that wait are taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from callspool_ledger.reads.summary import read_summary
from callspool_operators.commands.steering_ledger import (
    ask_to_go_on,
    steering,
    tell_each,
    yes_option,
)
from callspool_operators.options.options import json_option, redis_option, state_dir_option
from callspool_operators.options.selecting import (
    complete_token,
    document_option,
    is_known,
    selector_options,
)
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.report import describe_selector, selector_object
from callspool_operators.terminal.wording import format_count, json_line, plain

if TYPE_CHECKING:
    from callspool_ledger.selectors import Selector
    from callspool_ledger.steering import Steering

_EXAMPLES = """\b
Examples:
  callspool cancel --campaign spring
  callspool cancel --document-id crm-17 --campaign spring
  callspool cancel --space-token 8KZ… --yes --json
"""
_TOO_LATE = {
    "s": "is being sent: too late",
    "d": "may have been created: it is in doubt, and not sent again",
    "c": "was created: too late",
    "x": "is dead and not sent anyway (callspool dead drop)",
    "X": "was given up before (callspool dead drop)",
    "k": "was cancelled before",
    "e": "expired before it was sent",
}


@click.command("cancel", epilog=_EXAMPLES)
@document_option
@selector_options(required=True)
@yes_option
@redis_option
@state_dir_option
@json_option
def cancel(
    document_id: str | None,
    selector: Selector,
    yes: bool,
    redis_url: str | None,
    state_dir: str | None,
    as_json: bool,
) -> int:
    """Take back documents that wait: they are not sent. Asks first; a script says --yes.

    What is being sent, in doubt or created is left as it is, and so is what comes later. A
    cancelled document that is enqueued anew is sent.
    """
    with steering(redis_url, state_dir) as steer:
        selector = complete_token(selector, steer.reader)
        if document_id is not None:
            return _cancel_one(steer, document_id, selector, yes, as_json)
        return _cancel_all(steer, selector, yes, as_json)


def _cancel_all(steer: Steering, selector: Selector, yes: bool, as_json: bool) -> int:
    waiting, _ = steer.waiting(selector)
    many = format_count(waiting, "document that waits", "documents that wait")
    if waiting and not ask_to_go_on(f"Cancel {many} ({describe_selector(selector)})?", yes=yes):
        click.echo("Nothing was cancelled.", err=True)
        return Exit.INTERRUPTED
    done = steer.cancel(selector)
    left, others = steer.waiting(selector)
    spooled = steer.reader.ask(read_summary()).spooled
    if as_json:
        found = {
            "selector": selector_object(selector),
            "cancelled": done,
            "waiting": left,
            "not_touched": others,
            "spooled": spooled,
        }
        click.echo(json_line(found))
        return Exit.DONE
    click.echo(f"{format_count(done, 'document')} cancelled ({describe_selector(selector)}).")
    if not (done or others or spooled or is_known(selector, steer.reader)):
        click.echo("No document of it came yet: check the name.")
    if others:
        are = format_count(others, "document is", "documents are")
        click.echo(f"{are} being sent, in doubt or dead, and left so.")
    if left:
        waits = format_count(left, "document waits", "documents wait")
        click.echo(f"{waits} that came later or were given back by workers meanwhile.")
    if spooled:
        lie = format_count(spooled, "document lies", "documents lie")
        click.echo(
            f"{lie} in the queue, not accepted by a worker yet, and are not touched: cancel again"
            " when they are (callspool status), or pause before."
        )
    return Exit.DONE


def _cancel_one(
    steer: Steering, document_id: str, selector: Selector, yes: bool, as_json: bool
) -> int:
    if not ask_to_go_on(f"Cancel {plain(document_id, 100)} wherever it waits?", yes=yes):
        click.echo("Nothing was cancelled.", err=True)
        return Exit.INTERRUPTED
    found = steer.cancel_one(document_id, selector)
    tell_each(document_id, found, "cancelled", "is cancelled", _TOO_LATE, as_json=as_json)
    return Exit.DONE if any(one.done or one.letter == "k" for one in found) else Exit.NOT_ALL
