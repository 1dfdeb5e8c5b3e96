"""What steering commands share: the ledger, the question, and the lines about each document."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from callspool.settings import load_settings
from callspool_ledger.reads.entries import STATES
from callspool_ledger.steering import Doubts, EndpointSteering, KeySteering, Steering
from callspool_operators.options.clients import ledger_clients
from callspool_operators.terminal import screen
from callspool_operators.terminal.screen import Progress
from callspool_operators.terminal.wording import (
    format_count,
    json_line,
    local,
    plain,
    shorten_token,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    import redis

    from callspool.request.identity import Scope
    from callspool_ledger.reads.views import DoubtView
    from callspool_ledger.steering import One
    from callspool_operators.options.options import LedgerPlace


yes_option = click.option(
    "--yes", is_flag=True, help="Do not ask; needed where there is no terminal."
)


@contextmanager
def steering(place: LedgerPlace) -> Iterator[Steering]:
    """The ledger, for what an operator does to it; shows how far that is on a terminal.

    Raises what `ledger_clients` raises.
    """
    with open_ledger(place) as (clients, tell):
        yield Steering(clients, operator(), tell)


@contextmanager
def doubting(place: LedgerPlace) -> Iterator[Doubts]:
    """The same for what an operator decides about documents in doubt."""
    with open_ledger(place) as (clients, tell):
        yield Doubts(clients, operator(), tell)


@contextmanager
def steering_keys(place: LedgerPlace) -> Iterator[KeySteering]:
    """The same for what an operator does to the keys of the HTTP intake."""
    with ledger_clients(*place) as clients:
        yield KeySteering(clients, operator())


@contextmanager
def steering_endpoints(place: LedgerPlace) -> Iterator[EndpointSteering]:
    """The same for what an operator does to the delivery to endpoints."""
    with ledger_clients(*place) as clients:
        yield EndpointSteering(clients, operator())


@contextmanager
def open_ledger(
    place: LedgerPlace, *, may_begin: bool = False
) -> Iterator[tuple[list[redis.Redis], Callable[[int], None]]]:
    """The clients of the ledger's partitions, and what shows progress; as `ledger_clients`."""
    with (
        ledger_clients(*place, may_begin=may_begin) as clients,
        Progress(None, quiet=True) as progress,
    ):

        def tell(documents: int) -> None:
            progress.update(documents, lambda: format_count(documents, "document"))

        yield clients, tell


def operator() -> str:
    """Returns who asks: CALLSPOOL_OPERATOR, else the login name and the machine's."""
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


def of_each(
    document_id: str, found: Sequence[One], done: str, else_it: Mapping[str, str]
) -> list[str]:
    """Returns a line for each scope that knows the document; or that none does."""
    name = plain(document_id, 100)
    if not found:
        unknown = "it is still in the queue (callspool status), was refused (callspool invalid)"
        return [f"callspool: {name} is not known here: {unknown}, or was never enqueued"]
    return [
        f"{name} {done if one.done else else_it[one.letter]} ({_where(one.scope)})."
        for one in found
    ]


def tell_each(
    document_id: str,
    found: Sequence[One],
    verb: str,
    done: str,
    else_it: Mapping[str, str],
    *,
    as_json: bool,
) -> None:
    """Says it for people or scripts; that nobody knows the document always goes to stderr."""
    if as_json:
        click.echo(json_line(one_object(document_id, verb, found)))
    if not found or not as_json:
        for line in of_each(document_id, found, done, else_it):
            click.echo(line, err=not found)


def one_object(document_id: str, verb: str, found: Sequence[One]) -> dict[str, object]:
    """Returns the same for scripts: ``verb`` says whether it was done, ``was`` the state before."""
    return {
        "document_id": document_id,
        verb: sum(one.done for one in found),
        "documents": [
            {**one.scope._asdict(), verb: one.done, "was": STATES[one.letter]} for one in found
        ],
    }


def _where(scope: Scope) -> str:
    campaign = f", campaign {plain(scope.campaign, 80)}" if scope.campaign else ""
    return f"account {scope.account}, space {shorten_token(scope.space_token)}{campaign}"


@dataclass(frozen=True, slots=True)
class Quiet:
    """Seconds without change before workers take a document for missing."""

    unanswered: float
    answered: float

    @classmethod
    def of_settings(cls) -> Quiet:
        """As this machine's settings say. Raises `SettingsError`."""
        settings = load_settings(os.environ)
        return cls(settings.proof_quiet, settings.proof_quiet_answered)

    def until(self, doubt: DoubtView) -> datetime:
        """Returns when it is over, if nothing changes any more."""
        seconds = self.answered if doubt.answered else self.unanswered
        return doubt.changed_at + timedelta(seconds=seconds)


def as_object(doubt: DoubtView, quiet: Quiet) -> dict[str, object]:
    """Returns a document in doubt as scripts read it."""
    return {
        "document_id": doubt.document_id,
        **doubt.scope._asdict(),
        "lane": doubt.lane,
        "attempt": doubt.attempt,
        "since": doubt.since,
        "reason": doubt.reason,
        "held": doubt.held or None,
        "found": doubt.found,
        "next_look": doubt.next_look_at,
        "quiet_until": None if doubt.held else quiet.until(doubt),
        "unreadable_since": doubt.unreadable_since,
    }


def lines_of(doubts: Sequence[DoubtView], quiet: Quiet) -> list[str]:
    """Returns a line for each document in doubt; what several share stands once, above them."""
    by_words: dict[str, list[DoubtView]] = {}
    for doubt in doubts:
        words = f"{plain(doubt.reason) or 'no reason'}; {_proof(doubt, quiet)}"
        by_words.setdefault(words, []).append(doubt)
    lines: list[str] = []
    for words, alike in by_words.items():
        if len(alike) == 1:
            lines.append(f"{_document(alike[0])}: {words}")
        else:
            lines.append(f"{format_count(len(alike), 'document')}: {words}")
            lines += [f"  {_document(each)}" for each in alike]
    return lines


def _document(doubt: DoubtView) -> str:
    campaign = f", campaign {plain(doubt.scope.campaign, 40)}" if doubt.scope.campaign else ""
    space = shorten_token(doubt.scope.space_token)
    return f"{local(doubt.since)}  {plain(doubt.document_id, 100)} (space {space}{campaign})"


def _proof(doubt: DoubtView, quiet: Quiet) -> str:
    if doubt.held:
        return f"held: {plain(doubt.held)}"
    if doubt.unreadable_since is not None:
        return (
            f"its space cannot be read back since {local(doubt.unreadable_since)}, {_next(doubt)}"
        )
    found = {None: "not looked at yet", True: "something of it was found", False: "nothing found"}
    return (
        f"being read back, {found[doubt.found]}, {_next(doubt)}, quiet until about"
        f" {local(quiet.until(doubt))}"
    )


def _next(doubt: DoubtView) -> str:
    if doubt.next_look_at is None:
        return "being looked at now"
    return f"next look at {local(doubt.next_look_at)}"
