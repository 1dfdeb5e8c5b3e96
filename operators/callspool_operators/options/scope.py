"""Which account, space and campaign a command is about, where the ledger can tell."""

import importlib
from collections.abc import Sequence
from typing import Any

import click

from callspool.request.identity import DEFAULT_ACCOUNT, Scope
from callspool_ledger.reads.lookup import read_scopes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.selectors import Selector
from callspool_operators.options.selecting import complete_token
from callspool_operators.terminal.wording import plain, shorten_token

SANDBOX = "sandbox"
_SHOWN = 5


def scope_of(
    reader: LedgerReader, account: str | None, space_token: str | None, campaign: str | None
) -> Scope:
    """The scope that flags name; where they name no space, the only one that fits them.

    Of a space its shown beginning will do. Raises `click.UsageError` that lists what there is,
    where none fits or several do.
    """
    if space_token:
        whole = complete_token(Selector(space_token=space_token), reader).space_token
        return Scope(account or DEFAULT_ACCOUNT, whole or "", campaign or "")
    known = reader.ask(read_scopes())
    wanted = (account, None, campaign)
    fitting = [
        scope
        for scope in known
        if all(want is None or want == part for want, part in zip(wanted, scope, strict=True))
    ]
    if len(fitting) == 1:
        return fitting[0]
    if not known:
        raise click.UsageError("nothing was sent from here yet, so there is no answer to look up")
    if not fitting:
        raise click.UsageError(f"nothing was sent there; known are {flags_of(known)}")
    raise click.UsageError(f"say which of these is meant: {flags_of(fitting)}")


def sandbox_space() -> str:
    """The space of a rehearsal that names none; comes with the sandbox's package."""
    defaults: Any = importlib.import_module("callspool_sandbox.defaults")
    token: str = defaults.SPACE_TOKEN
    return token


def flags_of(scopes: Sequence[Scope]) -> str:
    """Scopes as the flags that name them, tokens shortened, not endless."""
    shown = [words_of(scope) for scope in scopes[:_SHOWN]]
    more = len(scopes) - len(shown)
    return "; ".join(shown) + (f"; and {more:,} more" if more else "")


def words_of(scope: Scope) -> str:
    account, space_token, campaign = scope
    named = f" --campaign {plain(campaign, 80)}" if campaign else ""
    return f"--account {account} --space-token {plain(shorten_token(space_token))}{named}"
