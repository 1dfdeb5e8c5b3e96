"""Lists of numbers that must not be called, as values."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from callspool.errors import CallspoolError
from callspool.request.identity import is_account_name

GLOBAL = "global"
"""The list that holds for every account and campaign."""

_NAMED = re.compile(r"[a-z0-9_-]{1,64}")
_ACCOUNT = "account:"


class ListNameError(CallspoolError):
    """A list cannot be called so."""


def list_name(name: str | None, account: str | None = None) -> str:
    """Returns the name that the ledger has for a list; raises `ListNameError`.

    ``account``: the list of that account. Neither: the global one.
    """
    if account is not None:
        if name not in (None, GLOBAL):
            raise ListNameError(
                "name a list or an account: an account has one list, without a name"
            )
        if not is_account_name(account):
            raise ListNameError("an account is named by 1 to 32 of a-z 0-9 _ -")
        return f"{_ACCOUNT}{account}"
    if name is None:
        return GLOBAL
    if name.startswith(_ACCOUNT):
        return list_name(None, name.removeprefix(_ACCOUNT))
    if not _NAMED.fullmatch(name):
        raise ListNameError("a list is named by 1 to 64 of a-z 0-9 _ -, such as asked-by-mail")
    return name


def kind_of_list(name: str) -> str:
    """Returns what kind of list that is: global, account or named."""
    if name == GLOBAL:
        return GLOBAL
    return "account" if name.startswith(_ACCOUNT) else "named"


class ListSource(msgspec.Struct, frozen=True):
    """What put numbers on a list: ``since`` and ``till`` in ms, ``till`` 0 for no end."""

    list: str
    till: int
    since: int
    source: str
    by: str

    @property
    def reason(self) -> str:
        """Why a number is not called, for people."""
        kind = kind_of_list(self.list)
        name = {"global": "on the global list", "account": f"on the list of {self.list}"}.get(
            kind, f"on the list {self.list}"
        )
        text = f"suppressed: {name} since {_moment(self.since)}"
        if self.till:
            text += f" until {_moment(self.till)}"
        return f"{text} ({self.source})" if self.source else text


class Hit(NamedTuple):
    """Documents that must not be called, by their places (counted from 0), and why."""

    source: ListSource
    places: list[int]

    @property
    def kind(self) -> str:
        """The kind of the list: global, account or named."""
        return kind_of_list(self.source.list)


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
