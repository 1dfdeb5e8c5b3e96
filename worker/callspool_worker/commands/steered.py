"""What the commands share by which operators steer: the ledger, who asks, and the question."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from callspool.cli import person
from callspool.cli.connection import ledger_client
from callspool.cli.progress import Progress
from callspool.cli.wording import counted
from callspool.settings import load_settings
from callspool_worker.steering import Doubts, Steering

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = TypeVar("Kind", Steering, Doubts)

yes_option = click.option(
    "--yes", is_flag=True, help="Do not ask; needed where there is no terminal."
)


@contextmanager
def steering(redis_url: str | None, state_dir: str | None) -> Iterator[Steering]:
    """The ledger, for what an operator does to it; shows how far that is on a terminal.

    Raises what `ledger_client` raises.
    """
    with _steps(Steering, redis_url, state_dir) as steer:
        yield steer


@contextmanager
def doubting(redis_url: str | None, state_dir: str | None) -> Iterator[Doubts]:
    """The same for what an operator decides about documents in doubt."""
    with _steps(Doubts, redis_url, state_dir) as steer:
        yield steer


@contextmanager
def _steps(kind: type[Kind], redis_url: str | None, state_dir: str | None) -> Iterator[Kind]:
    with ledger_client(redis_url, state_dir) as client, Progress(None, quiet=True) as progress:

        def tell(documents: int) -> None:
            progress.update(documents, lambda: counted(documents, "document"))

        yield kind(client, operator(), tell)


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


def agreed(question: str, *, yes: bool) -> bool:
    """Whether to go on with what cannot be undone: asks, unless ``--yes`` was given.

    Raises `click.UsageError` where nobody is there and stdin holds no answer either.
    """
    if yes:
        return True
    if person.is_there():
        return person.agrees(question)
    answer = person.piped_answer()
    if answer is None:
        raise click.UsageError(f"{question} There is nobody to ask: add --yes to go on")
    return answer
