"""A document: one contact to call, with the API's own field names (S)."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

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
    """The fields to send; raises `InvalidCallRequest` where ``extra`` repeats a known one."""
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


_KNOWN = frozenset(KNOWN_FIELDS)
