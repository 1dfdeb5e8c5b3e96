"""`callspool relay`: from an outbox in PostgreSQL into the queue."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callspool.contrib.outbox import TABLE_SQL
from callspool.errors import CallspoolError
from callspool.settings import load_settings
from callspool_operators.options.options import redis_option
from callspool_operators.terminal.wording import format_count

if TYPE_CHECKING:
    import psycopg

    from callspool.settings import Settings
    from callspool_operators.relay import RelayedRows

_EXAMPLES = """\b
Examples:
  callspool relay --sql | psql shop
  callspool relay --dsn-file /run/secrets/shop-dsn
  callspool relay --dsn-file dsn --once
"""
CONNECT_SECONDS = 10


@click.command(epilog=_EXAMPLES)
@click.option(
    "--dsn-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file that holds PostgreSQL's connection string.",
)
@click.option("--once", is_flag=True, help="End when the outbox is empty.")
@click.option("--sql", is_flag=True, help="Print what makes the outbox's table, and end.")
@redis_option
def relay(dsn_file: Path | None, once: bool, sql: bool, redis_url: str | None) -> None:
    """Put the call requests of an outbox into the queue, as their transactions commit.

    Any number of relays may work on one outbox. A row that cannot be enqueued as it is stays there,
    with the reason in its column refused.
    """
    if sql:
        click.echo(TABLE_SQL, nl=False)
        return
    if dsn_file is None:
        raise click.UsageError("name the file with PostgreSQL's connection string: --dsn-file FILE")
    if not dsn_file.is_file():  # not sooner: its examples are typed where there is none
        raise click.UsageError(f"--dsn-file: there is no file {dsn_file}")
    settings = load_settings(os.environ, overrides={"redis_url": redis_url})
    try:
        _relay(dsn_file, settings, once=once)
    except ModuleNotFoundError as fault:
        if (fault.name or "").partition(".")[0] != "psycopg":
            raise
        raise click.UsageError(
            "callspool relay needs the outbox's packages: pip install './callspool[outbox]'"
        ) from None


def _relay(dsn_file: Path, settings: Settings, *, once: bool) -> None:
    """Relays rows until it is stopped, or, with ``once``, until the outbox is empty."""
    import psycopg  # noqa: PLC0415 - an extra's, and --sql does without

    from callspool_operators.relay import (  # noqa: PLC0415
        describe_failure,
        drain,
        follow,
        open_relay,
    )

    connect = partial(_connect, dsn_file)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with open_relay(settings) as works:
        if once:
            try:
                with connect() as database:
                    _tell(drain(works, database, _tell))
            except psycopg.Error as fault:
                raise CallspoolError(f"{describe_failure(fault)}; run it again") from None
            return
        click.echo("callspool relay begins")
        follow(works, connect, stopped.is_set, _tell, partial(click.echo, err=True))


def _connect(dsn_file: Path) -> psycopg.Connection[Any]:
    """Connects with what the file holds now; an error never repeats it."""
    import psycopg  # noqa: PLC0415 - an extra's

    try:
        dsn = dsn_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as fault:
        raise CallspoolError(f"--dsn-file: cannot read it ({type(fault).__name__})") from None
    try:
        return psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_SECONDS)
    except psycopg.OperationalError:
        raise CallspoolError(
            "PostgreSQL does not answer, or refuses the user: check what --dsn-file holds"
        ) from None
    except psycopg.ProgrammingError:
        raise CallspoolError(
            "--dsn-file: holds no connection string such as postgresql://user@host/database"
        ) from None


def _tell(done: RelayedRows) -> None:
    rows = format_count(done.rows, "request")
    refused = f", {done.refused:,} refused (see the column refused)" if done.refused else ""
    click.echo(f"{rows} with {format_count(done.documents, 'document')} relayed{refused}")
