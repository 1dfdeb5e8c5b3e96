"""What the commands share by which operators steer: the ledger, who asks, and the question."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from callspool.settings import load_settings
from callspool_ledger.steering import Doubts, Steering
from callspool_operators.options.connection import ledger_clients
from callspool_operators.terminal import screen
from callspool_operators.terminal.screen import Progress
from callspool_operators.terminal.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis


yes_option = click.option(
    "--yes", is_flag=True, help="Do not ask; needed where there is no terminal."
)


@contextmanager
def steering(redis_url: str | None, state_dir: str | None) -> Iterator[Steering]:
    """The ledger, for what an operator does to it; shows how far that is on a terminal.

    Raises what `ledger_clients` raises.
    """
    with _open_ledger(redis_url, state_dir) as (clients, tell):
        yield Steering(clients, operator(), tell)


@contextmanager
def doubting(redis_url: str | None, state_dir: str | None) -> Iterator[Doubts]:
    """The same for what an operator decides about documents in doubt."""
    with _open_ledger(redis_url, state_dir) as (clients, tell):
        yield Doubts(clients, operator(), tell)


@contextmanager
def _open_ledger(
    redis_url: str | None, state_dir: str | None
) -> Iterator[tuple[list[redis.Redis], Callable[[int], None]]]:
    with ledger_clients(redis_url, state_dir) as clients, Progress(None, quiet=True) as progress:

        def tell(documents: int) -> None:
            progress.update(documents, lambda: format_count(documents, "document"))

        yield clients, tell


def operator() -> str:
    """Who asks: CALLSPOOL_OPERATOR, else the login name and the machine's."""
    named = load_settings(os.environ).operator
    if named:
        return named
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def ask_to_go_on(question: str, *, yes: bool) -> bool:
    """Whether to go on with what cannot be undone: asks, unless ``--yes`` was given.

    Raises `click.UsageError` where nobody is there and stdin holds no answer either.
    """
    if yes:
        return True
    if screen.is_there():
        return screen.agrees(question)
    answer = screen.piped_answer()
    if answer is None:
        raise click.UsageError(f"{question} There is nobody to ask: add --yes to go on")
    return answer
