"""Call requests: as a producer states them, and as they are once nothing is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from callspool.request.document import Document
from callspool.request.identity import DEFAULT_ACCOUNT, Scope, lane_id
from callspool.request.schedule import Schedule


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


class Lines(msgspec.Struct, frozen=True, gc=False):
    """JSON objects of documents, each ended by a line feed and without one in it."""

    text: bytes
    count: int

    def apart(self) -> list[bytes]:
        """The documents one by one."""
        return self.text.split(b"\n")[:-1]

    def joined(self) -> bytes:
        """The documents with commas between them."""
        return self.text[:-1].replace(b"\n", b",")


class PreparedRequest(msgspec.Struct, frozen=True, gc=False):
    """A call request that can be enqueued: every document a JSON object that has its id.

    ``parts``: the documents in their order, each part a list, or as `Lines`.
    """

    envelope: CheckedEnvelope
    parts: list[list[bytes] | Lines]
    traceparent: str | None = None

    @property
    def documents(self) -> list[bytes]:
        """The documents one by one."""
        return [raw for part in self.parts for raw in _apart(part)]

    @property
    def count(self) -> int:
        """How many documents there are."""
        return sum(part.count if isinstance(part, Lines) else len(part) for part in self.parts)


def _apart(part: list[bytes] | Lines) -> list[bytes]:
    return part.apart() if isinstance(part, Lines) else part
