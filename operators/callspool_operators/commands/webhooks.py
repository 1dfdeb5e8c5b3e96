"""`callspool webhooks`: how the delivery of events to endpoints does, and what to do about it."""

from __future__ import annotations

import base64
import os
import secrets
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from callspool.errors import CallspoolError
from callspool.settings import load_settings
from callspool.settings.model import host_of
from callspool_ledger.reads.feed import cursor_since
from callspool_ledger.steering import EndpointBusy
from callspool_ledger.webhooks import MOST_ASIDE, EndpointRecord, EndpointState, read_endpoints
from callspool_operators.commands.steering_ledger import (
    ask_to_go_on,
    steering_endpoints,
    yes_option,
)
from callspool_operators.options import parsing
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import LedgerPlace, ledger_options
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.wording import format_count, json_line, local_of, plain
from callspool_worker.api.endpoint import EndpointClient
from callspool_worker.webhooks.delivery import check_signing, send_test
from callspool_worker.webhooks.plan import begin_anew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool.settings.model import WebhookEndpoint
    from callspool_ledger.steering import EndpointSteering
    from callspool_operators.options.parsing import LaterMoment
    from callspool_operators.terminal.report import Json

_EXAMPLES = """\b
Examples:
  callspool webhooks list
  callspool webhooks test crm
  callspool webhooks replay crm --since 2h
  callspool webhooks drop crm --waiting
  callspool webhooks secret > crm.secret
"""


@click.group(epilog=_EXAMPLES)
def webhooks() -> None:
    """Show and steer the delivery of events to the endpoints of callspool.toml."""


@webhooks.command("list")
@ledger_options
def list_endpoints(place: LedgerPlace, as_json: bool) -> None:
    """List the endpoints: how each does, what it took, and what was set aside."""
    known = load_settings(os.environ).webhooks
    with ledger_reader(*place) as reader:
        found = {one.name: one for one in reader.ask(read_endpoints(MOST_ASIDE))}
    names = sorted({*known, *found})
    if as_json:
        shown = [endpoint_object(name, known.get(name), found.get(name)) for name in names]
        click.echo(json_line({"webhooks": shown}))
        return
    for name in names:
        click.echo(endpoint_line(name, known.get(name), found.get(name)))
    if not names:
        click.echo("There are no endpoints: [webhooks.NAME] in callspool.toml adds one.")


@webhooks.command()
@click.argument("name")
@ledger_options
def test(name: str, place: LedgerPlace, as_json: bool) -> int:
    """Send an event of type callspool.test, without events, to an endpoint.

    Where the endpoint takes it, and had been resting or was switched off, delivery goes on at once.
    """
    endpoint = _find_endpoint(name)
    began = time.monotonic()
    answer = send_test(endpoint, EndpointClient(endpoint))
    seconds, is_taken = time.monotonic() - began, 200 <= answer.status < 300
    goes_on = False
    if is_taken:
        with _record_of(name, place) as (steps, record):
            if record is not None and (record.state.resting_since or record.state.rest_until):
                with suppress(EndpointBusy):  # it went on by itself
                    steps.write(record, begin_anew(record.state), "test")
                    goes_on = True
    if as_json:
        click.echo(
            json_line(
                {
                    "webhook": name,
                    "status": answer.status or None,
                    "taken": is_taken,
                    "seconds": round(seconds, 3),
                    "fault": answer.fault or None,
                }
            )
        )
    else:
        why = answer.fault or f"it answers {answer.status}"
        more = "; delivery goes on now" if goes_on else ""
        took = f"{name} took the test event ({answer.status}, {seconds:.2f} s){more}"
        click.echo(took if is_taken else f"{name} did not take the test event: {plain(why)}")
    return Exit.DONE if is_taken else Exit.NOT_ALL


@webhooks.command()
@click.argument("name")
@click.option(
    "--since",
    callback=parsing.earlier,
    metavar="WHEN",
    help="A span back (2h) or a time; else the oldest event that was set aside.",
)
@ledger_options
def replay(name: str, since: LaterMoment | None, place: LedgerPlace, as_json: bool) -> None:
    """Deliver events again from a moment on, with the same ids; also to one switched off.

    What was set aside is among them, and no longer listed.
    """
    _find_endpoint(name)
    with _record_of(name, place) as (steps, record):
        if record is None:
            raise CallspoolError(f"nothing was delivered to {name} yet: a worker begins it")
        moment = since.at(time.time()) if since else _oldest_aside(record)
        at = datetime.fromtimestamp(max(0.0, moment), UTC)
        cursor = cursor_since(at, steps.partitions)
        steps.write(record, EndpointState(cursor=cursor), "replay", drops_aside=True)
    if as_json:
        click.echo(json_line({"webhook": name, "since": moment}))
    else:
        click.echo(f"{name} gets all events since {local_of(moment)} again.")


@webhooks.command()
@click.argument("name")
@click.option("--waiting", is_flag=True, help="Also all events that wait to be delivered.")
@yes_option
@ledger_options
def drop(name: str, waiting: bool, yes: bool, place: LedgerPlace, as_json: bool) -> None:
    """Drop the events that were set aside; all of an endpoint that is not set up any more."""
    is_known = name in load_settings(os.environ).webhooks
    with _record_of(name, place) as (steps, record):
        if record is None:
            raise CallspoolError(f"there is no endpoint {plain(name, 40)}: callspool webhooks list")
        number = len(record.aside)
        what = format_count(number, "event") + " that it refused"
        if waiting or not is_known:
            what += ", and all that wait"
        if not ask_to_go_on(f"Drop {what}, of {name}?", yes=yes):
            return
        after: EndpointState | None = record.state
        if not is_known:
            after = None
        elif waiting:
            now = datetime.fromtimestamp(record.now_ms / 1000, UTC)
            after = EndpointState(cursor=cursor_since(now, steps.partitions))
        steps.write(record, after, "drop", drops_aside=True)
    if as_json:
        click.echo(json_line({"webhook": name, "dropped": number, "waiting": waiting}))
    else:
        click.echo(f"Dropped {what}, of {name}.")


@webhooks.command("secret")
def make_secret() -> None:
    """Print a new secret, for the file of an endpoint and for its receiver."""
    click.echo(f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}")


def _find_endpoint(name: str) -> WebhookEndpoint:
    known = load_settings(os.environ).webhooks
    if name not in known:
        names = ", ".join(sorted(known)) or "none is set up"
        raise CallspoolError(f"[webhooks.{plain(name, 40)}] is not in callspool.toml: {names}")
    check_signing(known)
    return known[name]


@contextmanager
def _record_of(
    name: str, place: LedgerPlace
) -> Iterator[tuple[EndpointSteering, EndpointRecord | None]]:
    with steering_endpoints(place) as steps:
        found = steps.reader.ask(read_endpoints(MOST_ASIDE))
        yield steps, next((one for one in found if one.name == name), None)


def _oldest_aside(record: EndpointRecord) -> float:
    times = [msgspec.json.decode(one.event)["time"] for one in record.aside]
    if not times:
        raise CallspoolError(f"{record.name} refused no event: say --since when it is to begin")
    return min(datetime.fromisoformat(time) for time in times).timestamp()


def endpoint_line(
    name: str, endpoint: WebhookEndpoint | None, record: EndpointRecord | None
) -> str:
    """Returns an endpoint for people."""
    where = host_of(endpoint.url) if endpoint else "not in callspool.toml"
    if record is None:
        return f"{name} ({where}): no worker has delivered to it yet"
    state, counts = record.state, record.counts
    parts = [_standing(state)]
    parts.append(f"{format_count(counts.get('events:delivered', 0), 'event')} delivered")
    if state.delivered_at:
        parts.append(f"the last {local_of(state.delivered_at / 1000)}")
    if record.aside:
        parts.append(f"{len(record.aside)} set aside (callspool webhooks replay {name})")
    return f"{name} ({where}): {'; '.join(parts)}"


def _standing(state: EndpointState) -> str:
    since = local_of(state.resting_since / 1000)
    if state.off:
        return f"switched off since {since}: {plain(state.why, 300)}"
    if state.resting_since:
        return f"rests since {since}: {plain(state.why, 300)}"
    return "works"


def endpoint_object(
    name: str, endpoint: WebhookEndpoint | None, record: EndpointRecord | None
) -> Json:
    """Returns an endpoint for scripts; of its URL the host alone, for the rest may be secret."""
    state = record.state if record else EndpointState()
    return {
        "name": name,
        "host": host_of(endpoint.url) if endpoint else None,
        "state": "off" if state.off else "resting" if state.resting_since else "works",
        "since": state.resting_since / 1000 or None,
        "why": state.why or None,
        "delivered_at": state.delivered_at / 1000 or None,
        "counts": record.counts if record else {},
        "aside": [
            {"event": one.event, "why": one.why, "at": one.at_ms / 1000}
            for one in (record.aside if record else [])
        ],
    }
