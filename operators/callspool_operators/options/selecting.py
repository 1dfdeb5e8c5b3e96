"""Selectors from the command line: which documents an operator means."""

import importlib
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import wraps
from typing import Any

import click
import msgspec

from callspool.request.identity import DEFAULT_ACCOUNT, Scope, is_account_name
from callspool.request.text import CUT, has_control_character, is_cut
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.lanes import read_lane_scopes
from callspool_ledger.reads.lookup import read_scopes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.views import Story
from callspool_ledger.selectors import Selector
from callspool_operators.options import parsing
from callspool_operators.options.options import Command, with_options
from callspool_operators.terminal.wording import plain, shorten_token

_LANE = re.compile(r"[0-9a-f]{20}")
_FLAGS = (
    click.option("--lane", metavar="ID", help="One lane (callspool lanes)."),
    click.option(
        "--space-token",
        metavar="TOKEN",
        help="One space; the beginning that is shown (8KZ1…) is enough.",
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

        return with_options(select, *_FLAGS, _ALL)

    return decorate


def complete_token(selector: Selector, reader: LedgerReader) -> Selector:
    """Returns the same with the whole space token, where only its shown beginning was given.

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


SANDBOX = "sandbox"
_SHOWN = 5


def scope_of(
    reader: LedgerReader, account: str | None, space_token: str | None, campaign: str | None
) -> Scope:
    """Returns the scope that flags name; where they name no space, the only one that fits them.

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
    """Returns the space of a rehearsal that names none; comes with the sandbox's package."""
    defaults: Any = importlib.import_module("callspool_sandbox.protocol")
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


def narrow_each(stories: Sequence[Story], asked: Selector) -> list[Story]:
    """Returns the stories of one id, their next steps narrowed to the scope where scopes differ.

    Confirming or resending one document by a command that means others of the same id would lose
    one of them or call somebody twice. ``asked``: what all of these stories have in common.
    """
    return [_narrow(story, [each.scope for each in stories], asked) for story in stories]


def _narrow(story: Story, scopes: Sequence[Scope], asked: Selector) -> Story:
    wanted = Selector(*story.scope)
    for field in fields(Selector):
        part = getattr(wanted, field.name)
        same = field.name == "lane" or all(getattr(each, field.name) == part for each in scopes)
        if same and getattr(asked, field.name) is None:
            wanted = replace(wanted, **{field.name: None})
    if wanted == Selector():
        return story
    one = f"--document-id {shlex.quote(story.document_id)}"
    step = story.next_step.replace(f"{one}`", f"{one} {wanted.flags}`")
    return msgspec.structs.replace(story, next_step=step)
