"""What became of one document, told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from callspool_ledger.reads.entries import STATES
from callspool_operators.terminal.wording import json_line, plain, shorten_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.request.identity import Scope
    from callspool_ledger.steering import One


def of_each(
    document_id: str, found: Sequence[One], done: str, else_it: Mapping[str, str]
) -> list[str]:
    """A line for each scope that knows the document; or that none does."""
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
    """The same for scripts: ``verb`` tells whether it was done, ``was`` the state before."""
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
