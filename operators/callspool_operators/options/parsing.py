"""How the values of options are read, and what a shell may complete them to."""

import codecs
import os
import re
from collections.abc import Callable, Sequence, Set
from datetime import datetime
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from callspool.errors import CallspoolError, InvalidCallRequest
from callspool.request.call_request import is_region, list_regions
from callspool.request.identity import is_account_name
from callspool.request.schedule import check_expiry
from callspool.request.text import clean, fault_of_word
from callspool.settings import load_settings
from callspool.settings.kinds import Kind
from callspool.settings.urls import RefusedValue

_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?([smhdw])")
LONGEST_PREFIX = 100
"""Bytes of what stands before every id."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800}


def as_setting(kind: Kind) -> Callable[[click.Context, click.Parameter, str], Any]:
    """Reads an option's value as a setting of that kind is read."""

    def read(_ctx: click.Context, _param: click.Parameter, given: str) -> Any:
        try:
            return kind.read(given)
        except RefusedValue as fault:
            reason = str(fault) or f"must be {kind.allowed}, not {given!r}"
            raise click.BadParameter(reason) from None

    return read


def as_optional_setting(
    kind: Kind,
) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """As `as_setting`, of an option that may be left out."""
    read = as_setting(kind)
    return lambda ctx, param, given: None if given is None else read(ctx, param, given)


def columns(_ctx: click.Context, _param: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    """Reads any number of ``COLUMN=FIELD``: the field by the column."""
    return read_columns(given)


def read_columns(given: Sequence[str]) -> dict[str, str]:
    """Reads the same; raises `click.BadParameter`."""
    if not given:
        return {}
    from callspool_operators.lists.columns import (  # noqa: PLC0415 - few commands read a list
        FIELDS,
        LEFT_OUT,
        NAME_PARTS,
    )

    chosen: dict[str, str] = {}
    for pair in given:
        column, _, field = (clean(part) for part in pair.rpartition("="))
        if not column:
            raise click.BadParameter(f"{pair!r} is not COLUMN=FIELD, as in Handy=contact_number")
        if field not in (*FIELDS, *NAME_PARTS, LEFT_OUT):
            known = ", ".join((*FIELDS, *NAME_PARTS))
            raise click.BadParameter(
                f"{field!r} is no field: take one of {known}, or {LEFT_OUT} to leave the column out"
            )
        if column in chosen or (field != LEFT_OUT and field in chosen.values()):
            raise click.BadParameter(f"{pair!r}: a column has one field, and a field one column")
        chosen[column] = field
    return chosen


class LaterMoment(NamedTuple):
    """A span from now (``90m``, ``2h``, ``1d``), or a time; both in seconds."""

    span: float | None = None
    unix: float = 0.0

    def at(self, now: float) -> float:
        """Returns it in unix seconds; ``now`` of the clock that counts."""
        return self.unix if self.span is None else now + self.span


def later(_ctx: click.Context, _param: click.Parameter, given: str | None) -> LaterMoment | None:
    """Reads a span from now, or a time with its offset."""
    return None if given is None else read_later(given)


def read_later(given: str) -> LaterMoment:
    """Reads the same; raises `click.BadParameter`."""
    if found := _SPAN.fullmatch(given.strip()):
        return LaterMoment(float(found[1]) * _SECONDS[found[2]])
    try:
        moment = datetime.fromisoformat(given.strip())
    except ValueError:
        raise click.BadParameter(
            f"{given!r} is neither a span (90m, 2h, 1d) nor a time (2026-12-01T18:00+05:30)"
        ) from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{given!r} has no offset: write it as {_with_offset(moment)}")
    try:
        return LaterMoment(unix=check_expiry(moment) or 0.0)
    except InvalidCallRequest as fault:
        raise click.BadParameter(fault.reason) from None


def earlier(ctx: click.Context, param: click.Parameter, given: str | None) -> LaterMoment | None:
    """Reads a span before now, or a time with its offset."""
    moment = later(ctx, param, given)
    if moment is None or moment.span is None:
        return moment
    return LaterMoment(-moment.span)


def _with_offset(moment: datetime) -> str:
    """The moment as the user's clock would have it, to be copied."""
    try:
        return moment.astimezone().isoformat(timespec="minutes")
    except (OverflowError, ValueError):
        return "2026-12-01T18:00+05:30"


def region(_ctx: click.Context, _param: click.Parameter, given: str | None) -> str | None:
    """Returns a region of phone numbers, in capitals."""
    if given is None:
        return None
    code = given.strip().upper()
    if not is_region(code):
        raise click.BadParameter(f"{given!r} is not a region such as IN, US or GB")
    return code


def name(_ctx: click.Context, _param: click.Parameter, given: str | None) -> str | None:
    """Returns a name that is compared, without its invisible signs."""
    return None if given is None else clean(given)


def id_prefix(_ctx: click.Context, _param: click.Parameter, given: str) -> str:
    """Returns what stands before every id of a list."""
    prefix = clean(given)
    if prefix and (fault := fault_of_word(prefix, LONGEST_PREFIX)):
        raise click.BadParameter(fault)
    return prefix


def encoding(_ctx: click.Context, _param: click.Parameter, given: str | None) -> str | None:
    """Returns the encoding of files, by any name that Python knows."""
    return None if given is None else read_encoding(given)


def read_encoding(given: str) -> str:
    """Reads the same; raises `click.BadParameter`."""
    try:
        "".encode(given.strip())
    except (LookupError, ValueError):
        raise click.BadParameter(
            f"{given!r} is no encoding of text: take utf-8, cp1252, cp1250, mac_roman, cp850 …"
        ) from None
    return codecs.lookup(given.strip()).name


def account(_ctx: click.Context, _param: click.Parameter, given: str | None) -> str | None:
    """Returns the name of an account."""
    if given is not None and not is_account_name(given):
        raise click.BadParameter(
            f"{given!r} must be a name of 1 to 32 lower-case letters, digits, _ and -"
        )
    return given


def accounts(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the accounts that the settings name, and the sandbox's."""
    try:
        known = set(load_settings(os.environ).accounts)
    except CallspoolError:
        known = set()
    return _items(known | {"sandbox"}, incomplete)


def regions(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Regions of phone numbers."""
    return _items(list_regions(), incomplete.upper())


def schedules(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Returns when calls may be made."""
    return _items({"now", "auto", "custom:"}, incomplete)


def _items(values: Set[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(value) for value in sorted(values) if value.startswith(incomplete)]
