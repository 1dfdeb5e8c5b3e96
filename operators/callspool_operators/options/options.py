"""Options that commands share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import click

from callspool_operators.options import parsing

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


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """Adds options to a command, so that its help lists them in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def redis_option_that(words: str) -> Callable[[Command], Command]:
    """``--redis``, and what it is for."""
    return click.option("--redis", "redis_url", metavar="URL", help=words)


redis_option = redis_option_that(
    "Where Redis is (redis://, rediss:// or unix://). [CALLSPOOL_REDIS_URL]"
)


def limit_option(default: int | None, most: int, words: str) -> Callable[[Command], Command]:
    """Adds ``--limit``: how many entries a listing shows; ``most`` is the largest it takes."""
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


class LedgerPlace(NamedTuple):
    """The ledger that a command means: a Redis, a run's directory, or neither: the setting's."""

    redis_url: str | None
    state_dir: str | None


def ledger_options(command: Command) -> Command:
    """Adds ``--redis``, ``--state-dir`` (handed over together as ``place``) and ``--json``."""

    @wraps(command)
    def gather(*args: object, **given: Any) -> object:
        place = LedgerPlace(given.pop("redis_url"), given.pop("state_dir"))
        return command(*args, place=place, **given)

    return with_options(gather, redis_option, state_dir_option, json_option)


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

        return with_options(gather, files_argument, *_SENDING, redis)

    return decorate
