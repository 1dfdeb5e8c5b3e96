"""`callspool pause` and `callspool resume`: sending stops, and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from callspool.request.text import has_control_character
from callspool_ledger.reads.summary import read_clock
from callspool_operators.commands.steering_ledger import steering
from callspool_operators.options import parsing
from callspool_operators.options.options import json_option, redis_option, state_dir_option
from callspool_operators.options.selecting import complete_token, is_known, selector_options
from callspool_operators.terminal.report import describe_selector, gate_object, selector_object, why
from callspool_operators.terminal.wording import format_count, json_line, local, state_dir_flag

if TYPE_CHECKING:
    from callspool_ledger.selectors import Selector
    from callspool_ledger.steering import PauseResult, ResumeResult

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
@redis_option
@state_dir_option
@json_option
def pause(
    selector: Selector,
    note: str,
    until: parsing.LaterMoment | None,
    redis_url: str | None,
    state_dir: str | None,
    as_json: bool,
) -> None:
    """Stop sending, on all workers and until `callspool resume`; nothing is lost meanwhile.

    What is being sent at this moment is finished. What comes later waits, too. Several flags
    together mean what all of them mean; without --account it is every account. Of what is paused
    already, --note and --until change why and until when.
    """
    with steering(redis_url, state_dir) as steer:
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
    for line in _paused_lines(done, known, state_dir_flag(state_dir)):
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
    if gate.until:
        lines.append(f"Workers end the pause at {local(gate.until)}.")
    if not known and selector.as_object():
        what = "No document of it waits now" if selector.lane else "No document of it came yet"
        lines.append(f"{what}: check the name. What comes later waits.")
    return [*lines, f"Next: callspool resume {selector.flags}{where}"]


@click.command("resume", epilog=_RESUME_EXAMPLES)
@selector_options(required=True)
@redis_option
@state_dir_option
@json_option
def resume(selector: Selector, redis_url: str | None, state_dir: str | None, as_json: bool) -> None:
    """Send again what was paused, and try again what workers parked.

    Every pause and every parked gate that lies within what the flags mean is opened: --all opens
    all of them.
    """
    with steering(redis_url, state_dir) as steer:
        selector = complete_token(selector, steer.reader)
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
    for line in _resumed_lines(selector, done, state_dir_flag(state_dir)):
        click.echo(line)


def _resumed_lines(selector: Selector, done: ResumeResult, where: str) -> list[str]:
    meant = describe_selector(selector)
    if done.opened:
        waiting = format_count(done.documents, "document waits", "documents wait")
        lines = [f"Opened; {waiting} there:"]
    elif done.still:
        lines = [_sentence(f"{meant} was not paused by itself")]
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
