"""`callspool pause`, `resume` and `cancel`: what waits is held, let go or taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from callspool.request.text import has_control_character
from callspool_ledger.reads.summary import read_clock, read_summary
from callspool_ledger.selectors import Selector
from callspool_operators.commands.steering_ledger import (
    ask_to_go_on,
    steering,
    tell_each,
    yes_option,
)
from callspool_operators.options import parsing
from callspool_operators.options.options import LedgerPlace, ledger_options
from callspool_operators.options.selecting import (
    complete_token,
    document_option,
    is_known,
    selector_options,
)
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.report import describe_selector, gate_object, selector_object, why
from callspool_operators.terminal.wording import (
    format_count,
    json_line,
    local,
    plain,
    state_dir_flag,
)

if TYPE_CHECKING:
    from callspool_ledger.steering import PauseResult, ResumeResult, Steering


LONGEST_NOTE = 200
_PAUSE_EXAMPLES = """\b
Examples:
  callspool pause --campaign spring
  callspool pause --campaign spring --note "the list is being corrected" --until 2h
  callspool pause --space-token 8KZ… --campaign spring
  callspool pause --all
"""
_RESUME_EXAMPLES = """\b
Examples:
  callspool resume --campaign spring
  callspool resume --all
"""


def _read_note(_ctx: click.Context, _param: click.Parameter, given: str | None) -> str:
    note = (given or "").strip()
    if len(note) > LONGEST_NOTE or has_control_character(note):
        raise click.BadParameter(f"must be one line of at most {LONGEST_NOTE} characters")
    return note


@click.command("pause", epilog=_PAUSE_EXAMPLES)
@selector_options(required=True)
@click.option("--note", callback=_read_note, metavar="TEXT", help="Why: status shows it.")
@click.option(
    "--until",
    callback=parsing.later,
    metavar="WHEN",
    help="Workers end the pause then: 90m, 2h, 1d, or a time like 2026-12-01T18:00+05:30.",
)
@ledger_options
def pause(
    selector: Selector,
    note: str,
    until: parsing.LaterMoment | None,
    place: LedgerPlace,
    as_json: bool,
) -> None:
    """Stop sending, on all workers and until `callspool resume`; nothing is lost meanwhile.

    Requests under way are finished; documents that come later wait, too. Several flags together
    select what matches all of them; without --account, every account is meant. For what is paused
    already, --note and --until change the reason and the end.
    """
    with steering(place) as steer:
        selector = complete_token(selector, steer.reader)
        now = steer.reader.ask(read_clock()) / 1000
        until_ms = round(until.at(now) * 1000) if until else 0
        if until and until_ms <= now * 1000:
            raise click.UsageError("--until: is over already; give a time that is to come")
        done = steer.pause(selector, note, until_ms)
        known = is_known(selector, steer.reader)
    if as_json:
        click.echo(
            json_line(
                {
                    "already": done.already,
                    "documents": done.documents,
                    "gate": gate_object(done.gate),
                }
            )
        )
        return
    for line in _paused_lines(done, known, state_dir_flag(place.state_dir)):
        click.echo(line)


def _paused_lines(done: PauseResult, known: bool, where: str) -> list[str]:
    selector, gate = done.gate.selector, done.gate
    wait = format_count(done.documents, "document waits", "documents wait")
    meant = describe_selector(selector)
    if done.already:
        first = f"{meant} was paused already, {why(gate)} at {local(gate.since)}: {wait}"
    else:
        first = f"{meant} is paused: {wait}; what is being sent now is finished"
    lines = [_sentence(first)]
    if gate.note and not done.already:
        lines.append(f"Note: {plain(gate.note, LONGEST_NOTE)}")
    if gate.until:
        lines.append(f"Workers end the pause at {local(gate.until)}.")
    if not known and selector.as_object():
        what = "No document of it waits now" if selector.lane else "No document of it came yet"
        lines.append(f"{what}: check the name. What comes later waits.")
    return [*lines, f"Next: callspool resume {selector.flags}{where}"]


@click.command("resume", epilog=_RESUME_EXAMPLES)
@selector_options(required=True)
@click.option(
    "--without-replicas",
    is_flag=True,
    help="With --all: Redis has lost its replicas for good, and none of them was promoted.",
)
@ledger_options
def resume(selector: Selector, without_replicas: bool, place: LedgerPlace, as_json: bool) -> None:
    """Send again what was paused, and try again what workers parked.

    Opens every pause and every parked gate within the selection; --all opens all of them.
    """
    if without_replicas and selector != Selector():
        raise click.UsageError("--without-replicas is about all documents: give it with --all")
    with steering(place) as steer:
        selector = complete_token(selector, steer.reader)
        if without_replicas:
            steer.go_on_without_replicas()
        done = steer.resume(selector)
    if as_json:
        found = {
            "selector": selector_object(selector),
            "opened": [gate_object(gate) for gate in done.opened],
            "still_closed": [gate_object(gate) for gate in done.still],
            "documents": done.documents,
            "rests_ended": done.rests,
        }
        click.echo(json_line(found))
        return
    for line in _resumed_lines(selector, done, state_dir_flag(place.state_dir)):
        click.echo(line)


def _resumed_lines(selector: Selector, done: ResumeResult, where: str) -> list[str]:
    meant = describe_selector(selector)
    if done.opened:
        waiting = format_count(done.documents, "document waits", "documents wait")
        lines = [f"Opened; {waiting} there:"]
    elif done.still:
        lines = [_sentence(f"{meant} was not paused by itself")]
    elif selector == Selector():
        lines = ["Nothing was paused or parked."]
    else:
        lines = [_sentence(f"{meant} was not paused, and nothing of it was parked")]
    lines += [
        f"  {describe_selector(gate.selector)} (was {gate.kind} since {local(gate.since)}:"
        f" {why(gate)})"
        for gate in done.opened
    ]
    lines += [f"The rest of account {name} is over." for name in done.rests]
    lines += [
        f"Still {gate.kind}: {describe_selector(gate.selector)}, {why(gate)}; open it with"
        f" callspool resume {gate.selector.flags}{where}"
        for gate in done.still
    ]
    return lines


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


_CANCEL_EXAMPLES = """\b
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
    "K": "is not called: its number was on a list, or it may be enqueued anew",
    "e": "expired before it was sent",
}


@click.command("cancel", epilog=_CANCEL_EXAMPLES)
@document_option
@selector_options(required=True)
@yes_option
@ledger_options
def cancel(
    document_id: str | None, selector: Selector, yes: bool, place: LedgerPlace, as_json: bool
) -> int:
    """Take back documents that wait: they are not sent. Asks first; a script says --yes.

    Documents that are being sent, in doubt or created stay as they are, and so do those that come
    later. A cancelled document stays cancelled in its campaign: `run` and `send` call it only with
    --again.
    """
    with steering(place) as steer:
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
