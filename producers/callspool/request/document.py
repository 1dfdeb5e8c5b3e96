"""A document: one contact to call, with the API's own field names (S), and their types."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET

from callspool.errors import InvalidCallRequest
from callspool.request.text import kind_of

REQUIRED_FIELDS = ("name", "contact_number")
OPTIONAL_TEXTS = (
    "document_id",
    "email",
    "alternate_number",
    "occupation",
    "company_name",
    "address",
    "about",
    "context",
    "title",
    "description",
)
KNOWN_FIELDS = (*REQUIRED_FIELDS, *OPTIONAL_TEXTS, "labels")
RESERVED = {
    "id": "is taken by the API for its own ids; name the contact in document_id",
    "callspool_attempt": "is reserved: callspool marks its attempts with it",
}

MAX_NESTING = 100
"""Levels of arrays and objects in a document: readers give up somewhere beyond."""

_KNOWN = frozenset(KNOWN_FIELDS)


@dataclass(slots=True)
class Document:
    """One contact; ``name`` and ``contact_number`` are required (S).

    Fields that are None are not sent. ``extra`` holds fields of your own: they reach the API as
    they are and come back as the task's ``input`` (O). Checked when the request is enqueued.
    """

    name: str
    contact_number: str
    document_id: str | None = None
    email: str | None = None
    alternate_number: str | None = None
    occupation: str | None = None
    company_name: str | None = None
    address: str | None = None
    about: str | None = None
    context: str | None = None
    labels: list[str] | None = None
    title: str | None = None
    description: str | None = None
    extra: Mapping[str, object] | None = None


values_of = attrgetter(*KNOWN_FIELDS)
"""The known fields of a `Document`, in the order of `KNOWN_FIELDS`."""


def fields_of(document: Document) -> dict[str, object]:
    """Returns the fields to send; raises `InvalidCallRequest` if ``extra`` repeats a known one."""
    values = zip(KNOWN_FIELDS, values_of(document), strict=True)
    fields: dict[str, object] = {field: value for field, value in values if value is not None}
    extra = document.extra
    if extra is None:
        return fields
    if not isinstance(extra, Mapping):
        raise InvalidCallRequest("extra", f"must be a mapping, not {kind_of(extra)}")
    repeated = _KNOWN.intersection(extra)
    if repeated:
        raise InvalidCallRequest("extra", f"must not repeat the known field {min(repeated)}")
    return {**fields, **extra}


class Known(msgspec.Struct, gc=False, omit_defaults=True):
    """The known fields of one document, in the order of `KNOWN_FIELDS`; null is as good as absent.

    Encoded, it leaves out what is None.
    """

    name: str
    contact_number: str
    document_id: str | None = None
    email: str | None = None
    alternate_number: str | None = None
    occupation: str | None = None
    company_name: str | None = None
    address: str | None = None
    about: str | None = None
    context: str | None = None
    title: str | None = None
    description: str | None = None
    labels: list[str] | None = None
    id: Any = UNSET
    callspool_attempt: Any = UNSET


def find_wrong_field(fields: Mapping[str, object]) -> InvalidCallRequest:
    """Returns what is wrong with fields that are not `Known`."""
    document_id = fields.get("document_id")
    for field in KNOWN_FIELDS:
        reason = _fault(field, fields.get(field, UNSET))
        if reason is not None:
            named = document_id if isinstance(document_id, str) else None
            return InvalidCallRequest(field, reason, document_id=named)
    return InvalidCallRequest("json", "is not a document of the API")


def _fault(field: str, value: object) -> str | None:
    if field in REQUIRED_FIELDS:
        if value is UNSET:
            return "is missing"
        return None if isinstance(value, str) else _not_a_string(value)
    if value is UNSET or value is None:
        return None
    if field in OPTIONAL_TEXTS:
        return None if isinstance(value, str) else _not_a_string(value)
    if not isinstance(value, list):
        return f"must be an array of strings, not {kind_of(value)}"
    wrong = [item for item in value if not isinstance(item, str)]
    return f"must hold strings only, not {kind_of(wrong[0])}" if wrong else None


def _not_a_string(value: object) -> str:
    hint = " (write it in quotes)" if kind_of(value) == "a number" else ""
    return f"must be a string, not {kind_of(value)}{hint}"
