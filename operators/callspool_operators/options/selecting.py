"""Flags that say which documents a command is about."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import click

from callspool.request.identity import is_account_name
from callspool.request.text import CUT, has_control_character, is_cut
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.lanes import read_lane_scopes
from callspool_ledger.reads.lookup import read_scopes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.selectors import Selector
from callspool_operators.options import parsing

Command = Callable[..., Any]

_LANE = re.compile(r"[0-9a-f]{20}")
_FLAGS = (
    click.option("--lane", metavar="ID", help="One lane (callspool lanes)."),
    click.option(
        "--space-token", metavar="TOKEN", help="One space; its shown beginning (8KZ1…) will do."
    ),
    click.option(
        "--campaign", callback=parsing.name, metavar="NAME", help="One campaign ('' for none)."
    ),
    click.option("--account", metavar="NAME", help="One account."),
)
_ALL = click.option("--all", "everything", is_flag=True, help="Everything.")
document_option = click.option("--document-id", metavar="ID", help="One document.")


def selector_options(*, required: bool) -> Callable[[Command], Command]:
    """Adds the flags that select documents, and hands them over as ``selector``.

    Together they mean what all of them mean. ``required``: none of them is wrong use, unless a
    ``document_id`` is given; else it means everything.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def select(*args: object, **given: Any) -> object:
            parts = {name: given.pop(name) for name in Selector.__dataclass_fields__}
            selector = Selector(**parts)
            everything = given.pop("everything", False)
            named = everything or given.get("document_id") is not None or given.get("messages")
            _check(selector, everything, required and not named)
            if given.get("document_id") is not None and selector.lane:
                raise click.UsageError("--document-id names one document: leave --lane out")
            return command(*args, selector=selector, **given)

        decorated: Command = select
        for option in (_ALL, *reversed(_FLAGS)):
            decorated = option(decorated)
        return decorated

    return decorate


def complete_token(selector: Selector, reader: LedgerReader) -> Selector:
    """The same, with the whole of a space token of which only the shown beginning was given.

    Raises `click.UsageError` where none or several begin so.
    """
    token = selector.space_token
    if token is None or not is_cut(token):
        return selector
    start = token.removesuffix(CUT)
    known = {scope.space_token for scope in reader.ask(read_scopes())}
    known |= {gate.selector.space_token or "" for gate in reader.ask(read_gates())}
    found = sorted(each for each in known if start and each.startswith(start))
    if len(found) != 1:
        many = "several spaces begin" if found else "no space that is known here begins"
        raise click.UsageError(f"--space-token {token}: {many} so: give the whole token")
    return replace(selector, space_token=found[0])


def is_known(selector: Selector, reader: LedgerReader) -> bool:
    """Whether a document of this was ever accepted; of a lane: whether it holds any now."""
    if selector.lane is not None:
        return bool(reader.ask(read_lane_scopes([selector.lane])))
    return any(selector.covers(scope, "") for scope in reader.ask(read_scopes()))


def _check(selector: Selector, everything: bool, nothing_named: bool) -> None:
    if nothing_named and selector == Selector():
        raise click.UsageError(
            "say which documents: --lane, --space-token, --campaign, --account (together: what all"
            " of them mean) or --all"
        )
    if everything and selector != Selector():
        raise click.UsageError(f"--all is everything: leave it out or {selector.flags}")
    if selector.lane is not None:
        if selector != Selector(lane=selector.lane):
            raise click.UsageError("--lane names one lane: leave the other flags out")
        if not _LANE.fullmatch(selector.lane):
            raise click.UsageError(
                f"--lane {selector.lane}: a lane's id is 20 of 0-9 and a-f (callspool lanes)"
            )
    if selector.account is not None and not is_account_name(selector.account):
        raise click.UsageError(f"--account {selector.account}: is no name of an account")
    for part in (selector.space_token, selector.campaign):
        if part is not None and has_control_character(part):
            raise click.UsageError("a space token or campaign holds no control characters")
