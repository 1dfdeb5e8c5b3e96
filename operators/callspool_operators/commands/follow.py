"""`callspool follow`: looks what became of created calls, as workers do."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from callspool.errors import CallspoolError
from callspool.settings import load_settings
from callspool_ledger.reads.calls import read_open_accounts
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.writes import account_ledgers
from callspool_operators.local.job import words_of_calls
from callspool_operators.local.tracking import ask_until_answered
from callspool_operators.options.clients import ledger_clients
from callspool_operators.options.options import LedgerPlace, ledger_options
from callspool_operators.options.selecting import SANDBOX
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.report import outcome_lines
from callspool_operators.terminal.screen import Progress, paint
from callspool_operators.terminal.wording import json_line, plain
from callspool_worker import app
from callspool_worker.api import UnpodApi, check_start
from callspool_worker.decisions.leases import MARGIN
from callspool_worker.ledgers import open_ledgers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callspool.settings import Settings

LOOK_SECONDS = 0.5
"""Seconds between two looks at how far the calls are."""

_EXAMPLES = """\b
Examples:
  callspool follow --state-dir ~/run --until-done
  callspool follow --redis redis://localhost:6379/0
"""


@click.command("follow", epilog=_EXAMPLES)
@click.option("--until-done", is_flag=True, help="End once no call is open any more.")
@ledger_options
def follow(until_done: bool, place: LedgerPlace, as_json: bool) -> int:
    """Follow created calls to their end, as workers do, until Ctrl-C.

    Use it for the ledger of a `callspool run` whose workers have ended; running workers follow
    calls themselves. It sends nothing. Only calls of accounts that are configured here can be
    followed.
    """
    settings = load_settings(os.environ, overrides={"redis_url": place.redis_url})
    check_start(settings.accounts)
    with ExitStack() as stack:
        clients = stack.enter_context(ledger_clients(*place))
        reader = LedgerReader(*clients)
        _refuse_foreign_calls(reader, settings)
        settings = replace(settings, partitions=len(clients))
        ledgers = open_ledgers(settings, clients)
        api = UnpodApi(
            settings.accounts, request_timeout=settings.request_timeout, max_connections=1
        )
        stack.enter_context(closing(api))
        homes = account_ledgers(ledgers[0], settings.accounts)
        name = f"follow-{secrets.token_hex(4)}"
        following = app.follow_calls(settings, ledgers, homes, api.get, name)
        following.start()
        stack.callback(following.stop, timeout=settings.request_timeout + MARGIN)
        outcomes, is_interrupted = _watch(reader, {*settings.accounts}, until_done=until_done)
    if as_json:
        click.echo(json_line({"outcomes": outcomes}))
    else:
        for line in outcome_lines(outcomes) or ["Nothing was created here yet."]:
            click.echo(paint(line))
    return Exit.INTERRUPTED if is_interrupted else Exit.DONE


def _refuse_foreign_calls(reader: LedgerReader, settings: Settings) -> None:
    """Raises `CallspoolError` where no open call is one of an account that is configured.

    The calls of a rehearsal went to a sandbox that ended with it.
    """
    accounts = reader.ask(read_open_accounts())
    if not accounts or accounts & {*settings.accounts}:
        return
    if accounts == {SANDBOX}:
        raise CallspoolError(
            "the calls here went to the sandbox of a rehearsal, which ended with it: there is"
            " nothing left to follow; callspool run --sandbox --follow waits for them"
        )
    names = ", ".join(sorted(map(plain, accounts)))
    raise CallspoolError(
        f"the calls here are of accounts that are not configured ({names}), so they cannot be"
        " followed: use the configuration with which they were sent"
    )


def _watch(
    reader: LedgerReader, accounts: set[str], *, until_done: bool
) -> tuple[Mapping[str, int], bool]:
    """Shows how far the calls are; returns the outcomes, and whether Ctrl-C ended it.

    ``accounts``: those whose calls are followed; the end of others is not waited for.
    """
    outcomes: Mapping[str, int] = {}
    with Progress(1.0) as progress:
        try:
            while True:
                outcomes = ask_until_answered(lambda: reader.ask(read_summary())).outcomes
                created = sum(outcomes.values())
                share = (created - outcomes["open"]) / max(created, 1)
                progress.update(share, partial(words_of_calls, outcomes))
                if until_done and not (
                    outcomes["open"] and accounts & reader.ask(read_open_accounts())
                ):
                    return outcomes, False
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            return outcomes, True
