"""`callspool keys`: who may use the HTTP intake, and for what."""

import time
from collections.abc import Sequence

import click

from callspool.errors import CallspoolError
from callspool_ledger.access import (
    AccessKey,
    Right,
    digest_of,
    is_key_name,
    make_secret,
    read_access_keys,
)
from callspool_operators.commands.steering_ledger import operator, steering_keys
from callspool_operators.options import parsing
from callspool_operators.options.connection import ledger_reader
from callspool_operators.options.options import LedgerPlace, ledger_options
from callspool_operators.terminal.report import Json, describe_selector
from callspool_operators.terminal.wording import json_line, local_of, plain, shorten_token

_EXAMPLES = """\b
Examples:
  callspool keys create shop --scope enqueue --space-token 8KZ… --per-minute 600 --expires 90d
  callspool keys list
  callspool keys revoke shop
"""


@click.group(epilog=_EXAMPLES)
def keys() -> None:
    """Create, list and revoke the keys with which services use `callspool serve`."""


def _key_name(_ctx: click.Context, _param: click.Parameter, given: str) -> str:
    if not is_key_name(given):
        raise click.BadParameter(
            "must be 1 to 32 lower-case letters, digits, _ and -: it goes into logs and metrics"
        )
    return given


_LIMIT = click.IntRange(1, 1_000_000_000)


@keys.command()
@click.argument("name", callback=_key_name)
@click.option(
    "--scope",
    "rights",
    multiple=True,
    required=True,
    type=click.Choice([right.value for right in Right]),
    help="What it may do (repeatable): put documents in, ask about them, cancel them.",
)
@click.option(
    "--account", callback=parsing.account, metavar="NAME", help="The only account it may use."
)
@click.option(
    "--space-token", "--space", callback=parsing.name, metavar="TOKEN", help="The only space."
)
@click.option("--campaign", callback=parsing.name, metavar="NAME", help="The only campaign.")
@click.option(
    "--per-minute", type=_LIMIT, metavar="N", help="Accept at most this many documents a minute."
)
@click.option(
    "--per-day", type=_LIMIT, metavar="N", help="Accept at most this many documents a day."
)
@click.option(
    "--expires",
    callback=parsing.later,
    metavar="WHEN",
    help="When it ends: a span (90d) or a time (2027-12-01T18:00+05:30); else never.",
)
@ledger_options
def create(
    name: str,
    rights: Sequence[str],
    account: str | None,
    space_token: str | None,
    campaign: str | None,
    per_minute: int | None,
    per_day: int | None,
    expires: parsing.LaterMoment | None,
    place: LedgerPlace,
    as_json: bool,
) -> None:
    """Create a key, and show its secret this once."""
    now = time.time()
    expires_at = None if expires is None else expires.at(now)
    if expires_at is not None and expires_at <= now:
        raise CallspoolError("--expires is past already: name a later time")
    secret = make_secret()
    key = AccessKey(
        name=name,
        digest=digest_of(secret),
        rights=frozenset(map(Right, rights)),
        account=account,
        space_token=space_token,
        campaign=campaign,
        per_minute=per_minute,
        per_day=per_day,
        expires_at=expires_at,
        created_at=now,
        created_by=operator(),
    )
    with steering_keys(place) as steps:
        steps.create(key)
    if as_json:
        click.echo(json_line({**key_object(key), "secret": secret}))
        return
    click.echo(f"Created the key {key_line(key)}", err=True)
    click.echo(secret)
    click.echo("Keep the secret now: it is not shown again, and callspool keeps none.", err=True)


@keys.command("list")
@ledger_options
def list_keys(place: LedgerPlace, as_json: bool) -> None:
    """List the keys, and what each may do."""
    with ledger_reader(*place) as reader:
        found = reader.ask(read_access_keys())
    if as_json:
        click.echo(json_line({"keys": [key_object(key) for key in found]}))
        return
    for key in found:
        click.echo(key_line(key))
    if not found:
        click.echo("There are no keys: callspool keys create NAME --scope enqueue makes one.")


@keys.command()
@click.argument("name", callback=_key_name)
@ledger_options
def revoke(name: str, place: LedgerPlace, as_json: bool) -> None:
    """End a key. Every `callspool serve` refuses it within a second."""
    with steering_keys(place) as steps:
        steps.revoke(name)
    click.echo(json_line({"revoked": name}) if as_json else f"Revoked the key {name}.")


def key_line(key: AccessKey) -> str:
    """Returns a key for people, such as ``shop: enqueue; space 8KZ…; 600 documents a minute``."""
    parts = [", ".join(_rights(key))]
    if key.selector.as_object():
        parts.append(describe_selector(key.selector))
    limits = {"a minute": key.per_minute, "a day": key.per_day}
    parts += [f"{most:,} documents {span}" for span, most in limits.items() if most is not None]
    if key.expires_at is not None:
        over = "expired" if key.expires_at <= time.time() else "until"
        parts.append(f"{over} {local_of(key.expires_at)}")
    created = f"created {local_of(key.created_at)} by {plain(key.created_by, 80)}"
    return "; ".join([f"{key.name}: {parts[0]}", *parts[1:], created])


def key_object(key: AccessKey) -> Json:
    """Returns a key for scripts; without the digest of its secret."""
    return {
        "name": key.name,
        "scope": _rights(key),
        "account": key.account,
        "space_token": key.space_token and shorten_token(key.space_token),
        "campaign": key.campaign,
        "per_minute": key.per_minute,
        "per_day": key.per_day,
        "expires_at": key.expires_at,
        "created_at": key.created_at,
        "created_by": key.created_by,
    }


def _rights(key: AccessKey) -> list[str]:
    return [right.value for right in Right if right in key.rights]
