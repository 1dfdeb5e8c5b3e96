"""Numbers as the guard knows them, keyed digests, and the lists that they are on, as values."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.errors import CallspoolError
from callspool.request.identity import is_account_name
from callspool.request.phone_reading import FEWEST_DIGITS, NumberError, to_ascii
from callspool.request.phones import identify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


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


DIGEST_BYTES = 9
"""Bytes of a number's digest: among 10 million entries and a billion numbers, one is taken for
another with a chance of 2 in a million."""

ELSE_READ_AS = "IN"
"""The platform reads a number without a country code as ``+`` and digits, else as Indian (O)."""


class _DocumentNumbers(msgspec.Struct, gc=False):
    contact_number: object = ""
    alternate_number: object = None


_decode = msgspec.json.Decoder(_DocumentNumbers).decode


class GuardKey(NamedTuple):
    """The key that digests are made with, and its name."""

    id: str
    secret: bytes

    def digester(self) -> Callable[[str], bytes]:
        """Returns a function from a form of a number to its digest: keyed BLAKE2b."""
        copy = hashlib.blake2b(key=self.secret, digest_size=DIGEST_BYTES).copy

        def digest_of(form: str) -> bytes:
            state = copy()
            state.update(form.encode())
            return state.digest()

        return digest_of


def forms_of(number: str, region: str | None, *, strictly: bool = False) -> tuple[str, ...]:
    """Returns the forms that a number may be called by, the one that counts first; () for none.

    E.164 without extension. A number whose country is not known has its digits, and what the
    platform may read them as; so has what is no number, unless ``strictly``.
    """
    try:
        form = identify(number, region)
    except NumberError:
        if strictly:
            return ()
        form = "".join(sign for sign in to_ascii(number) if sign.isdecimal())
        if len(form) < FEWEST_DIGITS:
            return ()
    if form[0] == "+":
        return (form.partition(";")[0],) if ";" in form else (form,)
    digits = form.partition(";")[0]
    forms = {digits: None, f"+{digits}": None}
    with suppress(NumberError):
        forms[identify(digits, ELSE_READ_AS).partition(";")[0]] = None
    return tuple(forms)


class NumbersOfDocuments(NamedTuple):
    """Digests of all numbers of documents, joined, and the place of the document of each."""

    digests: bytes
    places: list[int]


def read_numbers(
    documents: Iterable[bytes], digest: Callable[[str], bytes], region: str | None
) -> NumbersOfDocuments:
    """Reads the numbers by which documents may be called, the alternate ones too."""
    found: list[bytes] = []
    places: list[int] = []
    for place, document in enumerate(documents):
        numbers = _decode(document)
        for number in (numbers.contact_number, numbers.alternate_number):
            if isinstance(number, str) and number:
                for form in forms_of(number, region):
                    found.append(digest(form))
                    places.append(place)
    return NumbersOfDocuments(b"".join(found), places)


class ListedNumbers(NamedTuple):
    """Digests of numbers, joined; ``others`` are those of further forms of them."""

    first: bytes
    others: bytes
    unreadable: int = 0


def digest_all(
    numbers: Sequence[str], digest: Callable[[str], bytes], region: str | None
) -> ListedNumbers:
    """Makes digests of numbers for a list, each number once; what is no number is counted."""
    first: dict[bytes, None] = {}
    others: dict[bytes, None] = {}
    unreadable = 0
    for number in numbers:
        forms = forms_of(number, region, strictly=True)
        if not forms:
            unreadable += 1
            continue
        first[digest(forms[0])] = None
        for form in forms[1:]:
            others[digest(form)] = None
    return ListedNumbers(b"".join(first), b"".join(others), unreadable)
