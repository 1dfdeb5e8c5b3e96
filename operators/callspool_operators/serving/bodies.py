"""What callers post and get back: checks and OpenAPI are made of these."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec

from callspool.request.message import describe_fault
from callspool_ledger.reads.feed import FeedEvent
from callspool_operators.serving.problems import Problem

MOST_DOCUMENTS: Final = 5_000
"""Documents of one ``POST /v1/requests``."""
MOST_BYTES: Final = 8 * 1024 * 1024
MOST_IDS: Final = 1_000
"""Ids of one question for states."""
MOST_CANCELLED: Final = 100
MOST_NUMBERS: Final = 1_000
"""Numbers of one ``POST /v1/suppressions``."""

ENQUEUED: Final = "enqueued"
DUPLICATE: Final = "duplicate_in_request"
INVALID: Final = "invalid"
VERDICTS: Final = (ENQUEUED, DUPLICATE, INVALID)

DocumentId = Annotated[str, msgspec.Meta(min_length=1)]
Body = TypeVar("Body")


class PostedRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A call request: as in a message of the queue. What a key is bound to may be left out."""

    documents: list[msgspec.Raw]
    space_token: str | None = None
    pilot: str | None = None
    context: str | None = None
    schedule: dict[str, Any] | str | None = None
    campaign: str | None = None
    account: str | None = None
    expires_at: str | float | None = None


class KnownDocument(msgspec.Struct, frozen=True):
    """What the ledger knew of a document before this request, and since when."""

    state: str
    since: datetime


class DocumentVerdict(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What became of one document; ``field`` and ``reason``: what is wrong with an invalid one."""

    verdict: str
    document_id: str | None = None
    field: str | None = None
    reason: str | None = None
    known: KnownDocument | None = None


class IntakeReply(msgspec.Struct, frozen=True):
    """Redis has every document that is ``enqueued``; ``verdicts`` are in the order of the body."""

    enqueued: int
    duplicate_in_request: int
    invalid: int
    verdicts: list[DocumentVerdict]


class RefusedRow(msgspec.Struct, frozen=True):
    """A row of an upload that does not go on: the line on which it starts, and why."""

    line: int
    verdict: str
    reason: str


class UploadReply(msgspec.Struct, frozen=True):
    """Redis has every row that is ``enqueued``; ``refused`` holds the first 1,000 others."""

    rows: int
    enqueued: int
    duplicate_in_request: int
    invalid: int
    refused: list[RefusedRow]


class DocumentsQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Documents of one scope, by their ids. What a key is bound to may be left out."""

    document_ids: Annotated[list[DocumentId], msgspec.Meta(min_length=1, max_length=MOST_IDS)]
    space_token: str | None = None
    campaign: str | None = None
    account: str | None = None


class CancelQuery(DocumentsQuery, forbid_unknown_fields=True, kw_only=True):
    """Documents that are to be cancelled, as in `DocumentsQuery`; there may be fewer of them."""

    document_ids: Annotated[list[DocumentId], msgspec.Meta(min_length=1, max_length=MOST_CANCELLED)]


class DocumentReply(msgspec.Struct, frozen=True, kw_only=True):
    """Where a document is; ``state`` is null for one that the ledger does not know."""

    document_id: str
    state: str | None = None
    outcome: str | None = None
    reason: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    attempts: int = 0
    accepted_at: datetime | None = None
    settled_at: datetime | None = None


class StatusReply(msgspec.Struct, frozen=True):
    """The documents that were asked for, in that order."""

    documents: list[DocumentReply]


class NumbersQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Numbers of people, to be asked about for one account and campaign."""

    numbers: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_NUMBERS)]
    account: str | None = None
    campaign: str | None = None
    region: str | None = None
    numbers_as_they_are: bool = False


class NewSuppression(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Numbers that must not be called: on a named ``list``, an account's, or the global one."""

    numbers: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_NUMBERS)]
    list_name: str | None = msgspec.field(default=None, name="list")
    account: str | None = None
    until: str | None = None
    source: str = ""
    region: str | None = None
    numbers_as_they_are: bool = False


class RefusedNumber(msgspec.Struct, frozen=True):
    """A number that is not on the list now: its place, counted from 0, and why."""

    place: int
    reason: str


class SentDocument(msgspec.Struct, frozen=True):
    """A document that a create-call held when its number came onto the list, and its state."""

    document_id: str
    space_token: str
    state: str


class SuppressionReply(msgspec.Struct, frozen=True):
    """No create-call that holds an ``added`` or ``known`` number begins any more.

    ``is_on_disk``: Redis has confirmed that it does not forget them when it restarts.
    """

    list_name: str = msgspec.field(name="list")
    added: int
    known: int
    refused: list[RefusedNumber]
    being_sent: list[SentDocument]
    is_on_disk: bool


class SuppressedNumber(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a number is on a list; ``suppressed`` is null where ``reason`` says what is wrong.

    ``source``: what put it there, for a key that may add to this list.
    """

    suppressed: bool | None
    list_name: str | None = msgspec.field(default=None, name="list")
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    reason: str | None = None


class SuppressedReply(msgspec.Struct, frozen=True):
    """The numbers that were asked about, in that order."""

    numbers: list[SuppressedNumber]


class ListReply(msgspec.Struct, frozen=True):
    """A list of numbers that must not be called."""

    list_name: str = msgspec.field(name="list")
    numbers: int


class ListsReply(msgspec.Struct, frozen=True):
    """The lists that the key may change."""

    lists: list[ListReply]


class CampaignChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to hold for a campaign, in the words of `callspool campaign set`.

    What is not named stays as it is.
    """

    account: str | None = None
    campaign: str | None = None
    hours: str | None = None
    days: str | None = None
    holidays: list[str] | None = None
    zone: str | None = None
    zone_field: str | None = None
    close_early: int | None = None
    pace: str | None = None
    starts: str | None = None
    ends: str | None = None
    lists: list[str] | None = None
    caps: list[str] | None = None


class ZonesReply(msgspec.Struct, frozen=True):
    """A class of time zones of a campaign's contacts: whether it is open, or when it opens."""

    zones: str
    open: bool
    opens_at: datetime | None


class CapsReply(msgspec.Struct, frozen=True):
    """Most calls of a number in a time, and for which calls that holds."""

    scope: str
    account: str | None
    campaign: str | None
    caps: list[str]


class CampaignReply(msgspec.Struct, frozen=True):
    """What holds for a campaign; null where nothing is set."""

    account: str
    campaign: str
    hours: list[str] | None
    days: list[str] | None
    holidays: list[str] | None
    zone: str | None
    zone_field: str | None
    close_early: int | None
    pace_per_minute: float | None
    starts: datetime | None
    ends: datetime | None
    classes: list[ZonesReply]
    lists: list[str]
    caps: list[CapsReply]


class CampaignsReply(msgspec.Struct, frozen=True):
    """The campaigns for which something is set, as far as the key reaches."""

    campaigns: list[CampaignReply]


class EventsReply(msgspec.Struct, frozen=True):
    """Events of the feed, the oldest first, and the cursor behind them."""

    events: list[FeedEvent]
    cursor: str


class CancelledDocument(msgspec.Struct, frozen=True):
    """Whether a document was cancelled now; else ``state`` says where it is, null if unknown."""

    document_id: str
    cancelled: bool
    state: str | None


class CancelReply(msgspec.Struct, frozen=True):
    """The documents that were to be cancelled, in that order."""

    documents: list[CancelledDocument]


def decode_body(body: bytes, kind: type[Body]) -> Body:
    """Reads a JSON body; raises `Problem` that says what is wrong, and quotes no value."""
    try:
        body.decode()
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as fault:
        raise Problem("wrong-shape", describe_fault(fault) + _say_shape(str(fault))) from None
    except msgspec.DecodeError as fault:
        raise Problem("not-json", describe_fault(fault)) from None
    except UnicodeDecodeError as fault:
        raise Problem("not-json", f"is not valid UTF-8 (byte {fault.start})") from None
    except RecursionError:
        raise Problem("not-json", "is nested too deeply") from None


def _say_shape(fault: str) -> str:
    """What to post instead, where the body as a whole is something else."""
    if not fault.startswith("Expected") or " - at " in fault:
        return ""
    is_list = fault.startswith("Expected `array`")
    return ": post a list of requests, also of one: [{…}]" if is_list else ": post one object: {…}"
