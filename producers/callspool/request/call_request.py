"""Call requests and their documents: as a producer states them, and as they are once checked."""

import importlib
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from callspool.errors import InvalidCallRequest, SettingsError
from callspool.request.identity import DEFAULT_ACCOUNT, Scope, lane_id
from callspool.request.schedule import Schedule
from callspool.request.text import kind_of, plain_text

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
    """One contact; ``name`` and ``contact_number`` are required.

    Fields that are None are not sent. ``extra`` holds fields of your own: they reach the API as
    they are and come back as the task's ``input``. Checked when the request is enqueued.
    """

    name: str
    contact_number: str
    document_id: str | UUID | None = None
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


_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


@dataclass(slots=True)
class CallRequest:
    """Contacts to call with one agent in one space.

    ``space_token`` and ``pilot`` (the agent's handle) are the API's. A document is a
    `Document`, a mapping with the API's field names, or bytes of a JSON object that travel as
    they are. ``context`` is what the call is about; the API demands it, and a setting can
    give it. ``schedule``: None means now. ``campaign`` scopes deduplication: the same document
    may be called again in another campaign. ``account`` names credentials of the worker.
    ``expires_at`` (aware datetime, or unix seconds): not sent after that. ``traceparent`` (W3C
    trace context): goes into the workers' logs, and nowhere else.
    """

    space_token: str
    pilot: str
    documents: Sequence[Document | Mapping[str, object] | bytes]
    context: str | None = None
    schedule: Schedule | Mapping[str, object] | str | None = None
    campaign: str | None = None
    account: str | None = None
    expires_at: datetime | float | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How call requests are read, as settings decide.

    ``region``: of numbers without a country code (``IN``, ``US``, …).

    ``send_e164``: send numbers whose country is known as E.164 (`phones.number_to_send`).
    ``default_context``: for requests without a ``context``, which the API demands.
    Raises `SettingsError` for a region that does not exist.
    """

    region: str | None = None
    send_e164: bool = True
    default_context: str | None = None

    def __post_init__(self) -> None:
        region = self.region.upper() if self.region else None
        if region is not None and not is_region(region):
            raise SettingsError("CALLSPOOL_REGION: must be a region such as IN, US or GB")
        object.__setattr__(self, "region", region)


class CheckedEnvelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All of a call request but its documents, checked and with its defaults filled in.

    ``expires_at`` is in unix seconds. A ``campaign`` of "" is none.
    """

    space_token: str
    pilot: str
    context: str
    schedule: dict[str, str]
    campaign: str = ""
    account: str = DEFAULT_ACCOUNT
    expires_at: float | None = None

    @property
    def scope(self) -> Scope:
        """Within which each ``document_id`` is called once."""
        return Scope(self.account, self.space_token, self.campaign)

    @property
    def lane_id(self) -> str:
        """The lane in which these documents wait."""
        return lane_id(self.scope, self.pilot, self.context, self.schedule)


class DocumentLines(msgspec.Struct, frozen=True, gc=False):
    """JSON objects of documents, each ended by a line feed and without one in it."""

    text: bytes
    count: int

    def split(self) -> list[bytes]:
        """Returns the documents one by one."""
        return self.text.split(b"\n")[:-1]

    def join(self) -> bytes:
        """Returns the documents with commas between them."""
        return self.text[:-1].replace(b"\n", b",")


class PreparedRequest(msgspec.Struct, frozen=True, gc=False):
    """A call request that can be enqueued: every document a JSON object that has its id.

    ``parts``: the documents in their order, each part a list, or as `DocumentLines`. ``ids``: of
    the documents, where they are known.
    """

    envelope: CheckedEnvelope
    parts: list[list[bytes] | DocumentLines]
    traceparent: str | None = None
    ids: list[str] | None = None

    @property
    def documents(self) -> list[bytes]:
        """The documents one by one."""
        return [raw for part in self.parts for raw in _apart(part)]

    @property
    def count(self) -> int:
        """How many documents there are."""
        return sum(
            part.count if isinstance(part, DocumentLines) else len(part) for part in self.parts
        )


def _apart(part: list[bytes] | DocumentLines) -> list[bytes]:
    return part.split() if isinstance(part, DocumentLines) else part


def list_regions() -> AbstractSet[str]:
    """Returns the regions that libphonenumber knows (``IN``, ``US``, …)."""
    # Loaded here: it takes longer than all else that most commands need.
    library: Any = importlib.import_module("phonenumbers")
    found: AbstractSet[str] = library.SUPPORTED_REGIONS
    return found


def is_region(region: str) -> bool:
    """Whether libphonenumber knows the region."""
    return region in list_regions()


def is_traceparent(text: str) -> bool:
    """Whether a text is a traceparent, as in ``00-<32 hex digits>-<16>-<2>``."""
    return _TRACEPARENT.fullmatch(text) is not None


def traceparent_of(value: object) -> str | None:
    """Checks what a call request names as its traceparent; raises `InvalidCallRequest`."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidCallRequest("traceparent", f"must be a string, not {kind_of(value)}")
    if not is_traceparent(value):
        raise InvalidCallRequest(
            "traceparent", "must look like 00-<32 hex digits>-<16>-<2>, in small letters"
        )
    return plain_text(value)
