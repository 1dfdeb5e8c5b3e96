"""Labels of a bounded number, that hold nobody's number, id or token. Pure."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from callspool.request.identity import is_account_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

OTHER = "other"
NONE = "none"

MOST_ACCOUNTS = 50
"""Accounts with series of their own; messages may name any number of them."""

_FIRST = ("default", "sandbox")
_LIKE_A_NUMBER = re.compile(r"\d{7}")
_OF_PROXIES = range(520, 531)
_CODES = frozenset({*map(str, HTTPStatus), *map(str, _OF_PROXIES)})
_WORDS = frozenset({"missing", "too_large", "unread"})


class Accounts:
    """Which accounts have series of their own: those that came first, so that none loses its own.

    ``known_since`` tells when the first document of each was accepted.
    """

    def __init__(self, names: Collection[str], known_since: Mapping[str, int]) -> None:
        shown = [name for name in names if _may_be_shown(name)]
        shown.sort(key=lambda name: (name not in _FIRST, known_since.get(name, 0), name))
        self._show_document = frozenset(shown[:MOST_ACCOUNTS])

    def label(self, name: str) -> str:
        """The account's own name, or ``other``."""
        return name if name in self._show_document else OTHER


def _may_be_shown(name: str) -> bool:
    return is_account_name(name) and not _LIKE_A_NUMBER.search(name)


def code_label(code: str) -> str:
    """An HTTP code or one of a few words; ``none`` for no code, ``other`` for any other."""
    if not code:
        return NONE
    return code if code in _CODES or code in _WORDS else OTHER
