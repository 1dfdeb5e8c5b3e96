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
from callspool.request.phones import identify, identify_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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


class ListView(NamedTuple):
    """A list: how many numbers are on it, and what put them there."""

    name: str
    numbers: int
    sources: list[ListSource]


class ExportedEntry(NamedTuple):
    """One entry of a list: the digest of its number, and what put it there.

    ``is_other_form``: of a number whose country is not known, another form than its digits.
    """

    digest: bytes
    source: ListSource
    is_other_form: bool = False


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


class WrittenNumbers(NamedTuple):
    """The numbers that documents are called by, as they are written, in their order."""

    contacts: list[str]
    alternates: list[str | None]


class _DocumentNumbers(msgspec.Struct, gc=False):
    contact_number: str = ""
    alternate_number: str | None = None


_decode_all = msgspec.json.Decoder(list[_DocumentNumbers]).decode


class GuardKey(NamedTuple):
    """The key that digests are made with, and its name."""

    id: str
    secret: bytes

    def digest_all(self, forms: Iterable[str]) -> list[bytes]:
        """Returns the digests of forms of numbers: keyed BLAKE2b."""
        copy = hashlib.blake2b(key=self.secret, digest_size=DIGEST_BYTES).copy
        found = []
        for form in forms:
            state = copy()
            state.update(form.encode())
            found.append(state.digest())
        return found


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


def read_written(documents: Sequence[bytes]) -> WrittenNumbers:
    """Reads the numbers of documents, the alternate ones too."""
    try:
        every = _decode_all(b"[%b]" % b",".join(documents))
    except msgspec.ValidationError:  # a number that is no text: each by itself
        every = [_decode_leniently(document) for document in documents]
    return WrittenNumbers(
        [each.contact_number for each in every], [each.alternate_number for each in every]
    )


def digest_numbers(
    written: WrittenNumbers, key: GuardKey, region: str | None
) -> NumbersOfDocuments:
    """Makes digests of all forms of the numbers by which documents may be called."""
    contacts = written.contacts
    places = [*range(len(contacts))]
    if identify_all(contacts) is contacts:  # E.164 all of them, as a rule
        found = key.digest_all(contacts)
    else:
        found = []
        places.clear()
        _add_forms(enumerate(contacts), key, region, found, places)
    if any(written.alternates):
        others = enumerate(written.alternates)
        _add_forms(((at, number) for at, number in others if number), key, region, found, places)
    return NumbersOfDocuments(b"".join(found), places)


def read_numbers(
    documents: Sequence[bytes], key: GuardKey, region: str | None
) -> NumbersOfDocuments:
    """Reads the numbers by which documents may be called, and makes digests of them."""
    return digest_numbers(read_written(documents), key, region)


def each_once(numbers: NumbersOfDocuments) -> NumbersOfDocuments:
    """Returns the digests sorted by their documents, each once for each of these."""
    count = len(numbers.places)
    if numbers.places == [*range(count)]:  # one number each, as a rule
        return numbers
    each = [
        numbers.digests[at : at + DIGEST_BYTES]
        for at in range(0, len(numbers.digests), DIGEST_BYTES)
    ]
    pairs = dict.fromkeys(sorted(zip(numbers.places, each, strict=True), key=lambda pair: pair[0]))
    return NumbersOfDocuments(b"".join(digest for _, digest in pairs), [at for at, _ in pairs])


def _add_forms(
    numbers: Iterable[tuple[int, str]],
    key: GuardKey,
    region: str | None,
    found: list[bytes],
    places: list[int],
) -> None:
    """Adds the digests of all forms of numbers, and the places that these are given with."""
    for place, number in numbers:
        forms = forms_of(number, region)
        found += key.digest_all(forms)
        places += [place] * len(forms)


def _decode_leniently(document: bytes) -> _DocumentNumbers:
    fields = msgspec.json.decode(document)
    texts = [fields.get(name) for name in ("contact_number", "alternate_number")]
    return _DocumentNumbers(*[each if isinstance(each, str) else "" for each in texts])


class ListedNumbers(NamedTuple):
    """Digests of numbers, joined; ``others`` are those of further forms of them."""

    first: bytes
    others: bytes
    unreadable: int = 0


def digest_listed(numbers: Sequence[str], key: GuardKey, region: str | None) -> ListedNumbers:
    """Makes digests of numbers for a list, each number once; what is no number is counted."""
    forms = [forms_of(number, region, strictly=True) for number in numbers]
    readable = [each for each in forms if each]
    first = dict.fromkeys(key.digest_all(each[0] for each in readable))
    others = dict.fromkeys(key.digest_all(one for each in readable for one in each[1:]))
    return ListedNumbers(b"".join(first), b"".join(others), len(forms) - len(readable))
