"""Options that commands share, and the call request that they describe around documents."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar

import click
from msgspec import structs

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import CallRequest, CheckedEnvelope, Document
from callspool.request.checks import Rules, prepare
from callspool.settings import Settings
from callspool_operators.options import parsing
from callspool_operators.terminal.wording import is_cut, shorten_token

P = ParamSpec("P")
R = TypeVar("R")
Command = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """What `run` and `send` were told. None: not given, so the setting decides.

    ``columns`` maps headers to fields.
    """

    files: tuple[str, ...]
    space_token: str | None = None
    pilot: str | None = None
    context: str | None = None
    schedule: str | None = None
    campaign: str | None = None
    account: str | None = None
    expires: parsing.LaterMoment | None = None
    columns: Mapping[str, str]
    region: str | None = None
    encoding: str | None = None
    skip_if: tuple[str, ...] = ()
    sheet: str | None = None
    allow_shared_numbers: bool = False
    numbers_as_they_are: bool = False
    id_prefix: str = ""
    limit: int | None = None
    new: int | None = None
    dry_run: bool = False
    rejects: str | None = None
    duplicates: str | None = None
    again: bool = False
    yes: bool = False
    as_json: bool = False
    strict: bool = False
    redis_url: str | None = None


def redis_option_that(words: str) -> Callable[[Command], Command]:
    """``--redis``, and what it is for."""
    return click.option("--redis", "redis_url", metavar="URL", help=words)


redis_option = redis_option_that(
    "Where Redis is (redis://, rediss:// or unix://). [CALLSPOOL_REDIS_URL]"
)


def limit_option(default: int, most: int, words: str) -> Callable[[Command], Command]:
    """``--limit``: how many entries a listing shows; ``most`` is the largest it takes."""
    return click.option(
        "--limit",
        type=click.IntRange(1, most),
        default=default,
        show_default=True,
        metavar="N",
        help=words,
    )


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else."
)
state_dir_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Use the ledger that `callspool run` keeps in this directory.",
)

files_argument = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True)
)
map_option = click.option(
    "--map",
    "columns",
    callback=parsing.columns,
    multiple=True,
    metavar="COLUMN=FIELD",
    help="The field of a column (repeatable); COLUMN=- leaves it out.",
)
region_option = click.option(
    "--region",
    callback=parsing.region,
    shell_complete=parsing.regions,
    metavar="IN",
    help="The country of numbers without a country code. [CALLSPOOL_REGION]",
)
encoding_option = click.option(
    "--encoding",
    callback=parsing.encoding,
    metavar="NAME",
    help="Encoding of the files (utf-8, cp1250, mac_roman …); found out by default.",
)
sheet_option = click.option(
    "--sheet", metavar="NAME", help="Sheet of a spreadsheet (.xlsx, .ods); the first by default."
)
shared_numbers_option = click.option(
    "--allow-shared-numbers",
    is_flag=True,
    help="Accept a number again under another id; otherwise such a row is a duplicate.",
)
id_prefix_option = click.option(
    "--id-prefix",
    default="",
    callback=parsing.id_prefix,
    metavar="PREFIX",
    help="Put this before every id of the files: for lists that are numbered 1, 2, 3 …",
)
space_token_option = click.option(
    "--space-token", callback=parsing.name, metavar="TOKEN", help="Space. [CALLSPOOL_SPACE_TOKEN]"
)
_SENDING = (
    space_token_option,
    click.option(
        "--pilot",
        callback=parsing.name,
        metavar="HANDLE",
        help="Agent that calls. [CALLSPOOL_PILOT]",
    ),
    click.option("--context", metavar="TEXT", help="What the call is about. [CALLSPOOL_CONTEXT]"),
    click.option(
        "--schedule",
        shell_complete=parsing.schedules,
        metavar="WHEN",
        help="now (default), auto (the agent's own hours), or 'custom:2026-12-01 10:30'.",
    ),
    click.option(
        "--campaign",
        callback=parsing.name,
        metavar="NAME",
        help="Campaign; another campaign may call the same contact again.",
    ),
    click.option(
        "--account",
        shell_complete=parsing.accounts,
        metavar="NAME",
        help="Name of the worker's credentials. [default]",
    ),
    click.option(
        "--expires",
        callback=parsing.later,
        metavar="2h|TIME",
        help="Send nothing after this: 90m, 2h, 1d, 2w (by Redis' clock), or"
        " 2026-12-01T18:00+05:30.",
    ),
    map_option,
    region_option,
    encoding_option,
    sheet_option,
    click.option(
        "--skip-if",
        multiple=True,
        metavar="COLUMN",
        help="Leave out rows in which this column is set (repeatable), such as 'Do not call'.",
    ),
    shared_numbers_option,
    click.option(
        "--numbers-as-they-are",
        is_flag=True,
        help="Send numbers without a country code: the platform takes them for +… or Indian.",
    ),
    id_prefix_option,
    click.option(
        "--limit",
        type=click.IntRange(min=1),
        metavar="N",
        help="Send at most this many documents, then stop.",
    ),
    click.option(
        "--new",
        type=click.IntRange(min=1),
        metavar="N",
        help="Send N contacts that the ledger does not know yet, and pass over those it knows.",
    ),
    click.option(
        "--dry-run", is_flag=True, help="Check and show what would be sent; send nothing."
    ),
    click.option(
        "--rejects",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Write invalid rows to this file, with line and reason, so that you can correct and"
        " send them.",
    ),
    click.option(
        "--duplicates",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Write rows that repeat an earlier row to this file, with that row's line.",
    ),
    click.option(
        "--again", is_flag=True, help="Also call contacts that an operator cancelled before."
    ),
    click.option("--yes", is_flag=True, help="Do not ask before sending."),
    json_option,
    click.option("--strict", is_flag=True, help="Exit with 1 if a row was invalid."),
)
_NAMES = frozenset(field.name for field in fields(SendOptions))


def sending_options(
    redis: Callable[[Command], Command] = redis_option,
) -> Callable[[Command], Command]:
    """Adds FILE… and the options of `SendOptions`, and hands them over as ``options``.

    Options of the command's own come as they do without this. ``redis``: its ``--redis``.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gather(*args: object, **given: Any) -> object:
            shared = {name: given.pop(name) for name in _NAMES & given.keys()}
            return command(*args, options=SendOptions(**shared), **given)

        decorated: Command = gather
        for option in reversed((*_SENDING, redis)):
            decorated = option(decorated)
        return files_argument(decorated)

    return decorate


_FLAGS = {"expires_at": "--expires", "schedule.type": "--schedule"}
NOT_GIVEN = "not-given"
"""Stands in for what a rehearsal was not told."""
_ANYBODY = Document(name="Anybody", contact_number="+14155550100")


@dataclass(frozen=True, slots=True)
class SendTarget:
    """The checked call request without its documents, and the rules for these.

    ``missing``: fields that were not given, so that it can be looked at and not be sent.
    ``expires_in``: seconds, where a span was given; the envelope has it by this machine's clock.
    """

    envelope: CheckedEnvelope
    rules: Rules
    missing: Sequence[str] = ()
    expires_in: float | None = None

    def at_clock(self, now: float) -> Self:
        """Returns the same, with a span until expiry reckoned from ``now``: of Redis' clock."""
        if self.expires_in is None:
            return self
        return replace(
            self, envelope=structs.replace(self.envelope, expires_at=now + self.expires_in)
        )


def target_of(
    options: SendOptions, settings: Settings, *, defaults: Mapping[str, str] | None = None
) -> SendTarget:
    """Returns what flags and settings say; ``defaults`` stand in for what neither gives.

    Keys of ``defaults``: ``space_token``, ``pilot``, ``context``, ``account``. A rehearsal does
    without them. Raises `click.UsageError` that names flag and setting.
    """
    stand_in = defaults or {}
    _refuse_empty_flags(options)
    wanted = {
        field: getattr(options, field) or getattr(settings, field) or stand_in.get(field)
        for field in ("space_token", "pilot", "context")
    }
    missing = [field for field, value in wanted.items() if not value]
    if options.dry_run:
        wanted |= dict.fromkeys(missing, NOT_GIVEN)
    for field, value in wanted.items():
        if not value:
            word = field.replace("_", " ")
            flag = f"--{field.replace('_', '-')}"
            raise click.UsageError(f"no {word}: give {flag} or set CALLSPOOL_{field.upper()}")
    space_token = wanted["space_token"] or ""
    if is_cut(space_token):
        raise click.UsageError(
            f"--space-token: {shorten_token(space_token)} is but the shown beginning of a token:"
            " give the whole token"
        )
    rules = Rules(options.region or settings.region, settings.send_e164, settings.context)
    request = CallRequest(
        space_token=space_token,
        pilot=wanted["pilot"] or "",
        documents=[_ANYBODY],
        context=wanted["context"],
        schedule=options.schedule,
        campaign=options.campaign,
        account=options.account or stand_in.get("account"),
        expires_at=options.expires.at(time.time()) if options.expires else None,
    )
    try:
        span = options.expires.span if options.expires else None
        return SendTarget(prepare(request, rules).envelope, rules, missing, span)
    except InvalidCallRequest as fault:
        flag = _FLAGS.get(fault.field, f"--{fault.field.partition('.')[0].replace('_', '-')}")
        raise click.UsageError(f"{flag}: {fault.reason}") from None


def _refuse_empty_flags(options: SendOptions) -> None:
    """A script's variable that is not set must not mean the space, or account, of the settings."""
    for field in ("space_token", "pilot", "context", "account"):
        value = getattr(options, field)
        if value is not None and not value.strip():
            flag = f"--{field.replace('_', '-')}"
            raise click.UsageError(f"{flag}: is empty: give a value, or leave the flag out")
