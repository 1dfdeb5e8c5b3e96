"""Who a document is about: what makes two documents the same call, and one lane of calls.

The rules are part of the message format (docs/message-format.md): any producer can compute them.
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from unicodedata import decimal

import msgspec

from callspool.errors import InvalidCallRequest
from callspool.request.text import has_control_character, is_unicode

DIGEST_BYTES = 12
"""Bytes of an identity: among a billion, two are alike with a chance of 1 in 10^11."""

NUMBER_BYTES = 4
"""Bytes of the digest that tells whether one id has two numbers, by a chance of 1 in 4 billion."""

NO_NUMBER = bytes(NUMBER_BYTES)
"""The digest of a number that is not known: nothing follows from it."""

DEFAULT_ACCOUNT = "default"

_MADE = "tel-"
_ACCOUNT_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_encode = msgspec.json.Encoder(order="deterministic").encode


class Scope(NamedTuple):
    """Within which a ``document_id`` is called once."""

    account: str
    space_token: str
    campaign: str = ""


def is_account_name(name: str) -> bool:
    """Whether an account may be called so: lower-case letters, digits, ``_`` and ``-``."""
    return _ACCOUNT_NAME.fullmatch(name) is not None


def digester(scope: Scope) -> Callable[[str], bytes]:
    """Returns a function from ``document_id`` to identity, for many documents of one scope.

    Raises `InvalidCallRequest` for a scope with control characters: they separate its parts.
    """
    for field, part in zip(Scope._fields, scope, strict=True):
        if has_control_character(part) or not is_unicode(part):
            raise InvalidCallRequest(field, "must not hold control characters")
    copy = hashlib.blake2b("\0".join((*scope, "")).encode(), digest_size=DIGEST_BYTES).copy

    def digest_of(document_id: str) -> bytes:
        state = copy()
        state.update(document_id.encode())
        return state.digest()

    return digest_of


def digest(scope: Scope, document_id: str) -> bytes:
    """Returns the identity of a document: 12 bytes of BLAKE2b over its scope and its id."""
    return digester(scope)(document_id)


def digests_in(scopes: Iterable[tuple[str, str, str]], document_id: str) -> list[bytes]:
    """Returns the identities that one document has in many scopes."""
    hashed = hashlib.blake2b
    return [
        hashed("\0".join((*scope, document_id)).encode(), digest_size=DIGEST_BYTES).digest()
        for scope in scopes
    ]


def number_digests(numbers: Iterable[str]) -> list[bytes]:
    """Digests of contact numbers, by their digits alone: CRC-32 without the ``00`` of ``+``."""
    numbers = [*numbers]
    return _usual_digests(numbers) or [_number_digest(number) for number in numbers]


def _usual_digests(numbers: list[str]) -> list[bytes] | None:
    """The digests of numbers that are all ``+`` and digits; None where one is anything else."""
    whole = "".join(numbers)
    before, *digits = whole.split("+")
    if before or len(digits) != len(numbers) or "+00" in whole or not whole.isascii():
        return None
    if [number[:1] for number in numbers].count("+") < len(numbers):
        return None
    if not "".join(digits).isdecimal():
        return None
    found = [*map(zlib.crc32, whole[1:].encode().split(b"+"))]
    return None if 0 in found else [each.to_bytes(NUMBER_BYTES) for each in found]


def _number_digest(number: str) -> bytes:
    digits = number[1:] if number[:1] == "+" else number
    if not (digits.isascii() and digits.isdecimal()):
        digits = "".join(str(decimal(sign)) for sign in digits if sign.isdecimal())
    return (zlib.crc32(digits.removeprefix("00").encode()) or 1).to_bytes(NUMBER_BYTES)


def partition_of(account: str, space_token: str, partitions: int) -> int:
    """Returns the partition that keeps every document of a space: CRC-32 of both names, modulo."""
    if partitions == 1:
        return 0
    return zlib.crc32(f"{account}\0{space_token}".encode()) % partitions


def scope_tag(scope: Scope) -> str:
    """Returns eight hex digits that tell scopes of one space apart without naming them."""
    return hashlib.blake2b("\0".join((*scope, "")).encode(), digest_size=4).hexdigest()


def made_document_id(identifying_number: str) -> str:
    """Returns the ``document_id`` of a document that came without one, from its number's form."""
    return _MADE + hashlib.sha256(identifying_number.encode()).hexdigest()[:24]


def is_made_id(document_id: str) -> bool:
    """Whether an id is one of `made_document_id`."""
    return document_id.startswith(_MADE)


def lane_id(scope: Scope, pilot: str, context: str, schedule: Mapping[str, str]) -> str:
    """Returns the name of a lane: documents with the same one can share a create-call."""
    key = _encode([*scope, pilot, context, dict(schedule)])
    return hashlib.blake2b(key, digest_size=10).hexdigest()


class _DocumentId(msgspec.Struct):
    document_id: str = ""


_decode_id = msgspec.json.Decoder(_DocumentId).decode


def read_document_ids(documents: Iterable[bytes]) -> list[str]:
    """Returns the ids of raw documents, in their order; raises `msgspec.DecodeError`."""
    return [_decode_id(document).document_id for document in documents]


def read_document_id(document: bytes) -> str:
    """Returns the id of a raw document, or "" where it cannot be read."""
    try:
        return _decode_id(document).document_id
    except msgspec.DecodeError:
        return ""
