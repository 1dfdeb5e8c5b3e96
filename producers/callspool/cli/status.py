"""`callspool status`: documents by state, submissions by outcome, lanes, oldest wait."""

import click
import msgspec

from callspool.cli.connection import ledger_client
from callspool.cli.gates import gate_lines, gate_object
from callspool.cli.journal import journal_lines, journal_object
from callspool.cli.options import json_option, redis_option, state_dir_option
from callspool.cli.report import COUNTS, Json, submissions_in_order
from callspool.cli.times import span
from callspool.cli.wording import counted, listing
from callspool.ledger.readings import Readings
from callspool.ledger.views import Summary

_EXAMPLES = """\b
Examples:
  callspool status
  callspool status --json | jq .documents.created
"""
_BESIDE = ("accepted", "duplicate", "invalid")


@click.command(epilog=_EXAMPLES)
@redis_option
@state_dir_option
@json_option
def status(redis_url: str | None, state_dir: str | None, as_json: bool) -> None:
    """Show how many documents are in which state, what the API answered, and what waits.

    The counts are those of the installation's whole life.
    """
    with ledger_client(redis_url, state_dir) as client:
        summary = Readings(client).summary()
    if as_json:
        click.echo(msgspec.json.encode(as_object(summary)))
        return
    for line in lines_of(summary):
        click.echo(line)


def as_object(summary: Summary) -> Json:
    """The status as scripts read it."""
    return {
        "documents": {name: summary.documents.get(name, 0) for name in COUNTS if name != "read"},
        "submissions": submissions_in_order(summary.submissions),
        "runs": summary.runs,
        "spooled": summary.spooled,
        "lanes": summary.lanes,
        "unreadable": summary.unreadable,
        "oldest_waiting_seconds": summary.oldest_waiting_seconds,
        "gates": [gate_object(gate) for gate in summary.gates],
        "journal": [journal_object(entry) for entry in summary.journal],
    }


def lines_of(summary: Summary) -> list[str]:
    """The status as people read it."""
    found = summary.documents
    if not any(found.values()) and not summary.spooled:
        nothing = "Nothing was enqueued here yet: callspool send FILE puts contacts into the queue."
        return [nothing, *_steering_lines(summary)]
    states = {name: found.get(name, 0) for name in COUNTS if name not in (*_BESIDE, "read")}
    beside = {name: found.get(name, 0) for name in ("duplicate", "invalid")}
    width = len(f"{max(*states.values(), found.get('accepted', 0)):,}")
    lines = [f"{found.get('accepted', 0):>{width},} accepted"]
    lines += [f"{n:>{width},}   {name.replace('_', ' ')}" for name, n in states.items() if n]
    if any(beside.values()):
        lines.append(f"not accepted: {listing(beside)}")
    if summary.spooled:
        lines.append(f"{counted(summary.spooled, 'document')} in the queue, not accepted yet")
    if summary.unreadable:
        messages = counted(summary.unreadable, "message")
        lines.append(f"{messages} kept whole, since no worker could read them: callspool invalid")
    lines.append(f"create-calls: {listing(submissions_in_order(summary.submissions)) or 'none'}")
    lines.append(f"runs: {summary.runs:,}")
    lines.append(f"lanes: {listing(summary.lanes) or 'none'}")
    if summary.oldest_waiting_seconds is not None:
        lines.append(f"oldest wait: {span(summary.oldest_waiting_seconds)}")
    return lines + _steering_lines(summary)


def _steering_lines(summary: Summary) -> list[str]:
    """What is not sent now and why, and what operators did last."""
    lines = gate_lines(summary.gates)
    if summary.journal:
        lines.append("last done by operators (callspool journal):")
        lines += [f"  {line}" for line in journal_lines(summary.journal)]
    return lines
