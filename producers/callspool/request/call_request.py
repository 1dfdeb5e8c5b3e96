"""Call requests: as a producer states them, the rules they are read by, and as they are then."""

import importlib
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from callspool.errors import InvalidCallRequest, SettingsError
from callspool.request.document import Document
from callspool.request.identity import DEFAULT_ACCOUNT, Scope, lane_id
from callspool.request.schedule import Schedule
from callspool.request.text import kind_of, plain_text

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


@dataclass(slots=True)
class CallRequest:
    """Contacts to call with one agent in one space.

    ``space_token`` and ``pilot`` (the agent's handle) are the API's (S). A document is a
    `Document`, a mapping with the API's field names, or bytes of a JSON object that travel as
    they are. ``context`` is what the call is about; the API demands it (O), and a setting can
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
    ``default_context``: for requests without a ``context``, which the API demands (O).
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

    ``parts``: the documents in their order, each part a list, or as `DocumentLines`.
    """

    envelope: CheckedEnvelope
    parts: list[list[bytes] | DocumentLines]
    traceparent: str | None = None

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
