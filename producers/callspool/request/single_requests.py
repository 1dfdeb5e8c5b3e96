"""Requests of one document, which services enqueue most: they take a shorter way.

What comes with the document is checked once, and known again after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import CallRequest, traceparent_of
from callspool.request.checks import check_document, check_head
from callspool.request.message import SHARED_BYTES, TAIL, Message, head_of
from callspool.request.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool.request.call_request import CheckedEnvelope, Rules

HEADS_KEPT: Final = 256
LONGEST_CONTEXT: Final = 4096
"""How many heads are remembered, and the characters of the longest context among them."""

_PLAIN = frozenset({str, type(None), Schedule})


class SingleRequest(NamedTuple):
    """A request of one document, ready to be enqueued."""

    message: Message
    document_ids: tuple[str]
    partition: int
    traceparent: str | None


class SingleRequests:
    """Makes messages of requests that hold one document and nothing unusual.

    ``partition_of`` says where a request belongs. Threads may share it.
    """

    def __init__(self, rules: Rules, partition_of: Callable[[CheckedEnvelope], int]) -> None:
        self._rules = rules
        self._partition_of = partition_of
        self._heads: dict[tuple[object, ...], tuple[bytes, int]] = {}

    def prepare(self, request: CallRequest) -> SingleRequest | None:
        """Checks a request and makes its message; returns None for one that goes the long way.

        One with a fault goes the long way, too, which tells all of its faults.
        """
        if type(request) is not CallRequest:
            return None
        try:
            return self._prepare(request)
        except InvalidCallRequest:
            return None

    def _prepare(self, request: CallRequest) -> SingleRequest | None:
        documents = request.documents
        if type(documents) is not list or len(documents) != 1 or request.expires_at is not None:
            return None
        stated = (
            request.space_token,
            request.pilot,
            request.context,
            request.schedule,
            request.campaign,
            request.account,
        )
        if not _PLAIN.issuperset(map(type, stated)):
            return None
        try:
            found = self._heads.get(stated) or self._make_head(request, stated)
        except TypeError:  # a schedule that is made of what no schedule is
            return None
        if found is None:
            return None
        head, partition = found
        document = check_document(documents[0], self._rules)
        requests = head + document.raw + TAIL
        if len(requests) > SHARED_BYTES:
            return None
        trace = None if request.traceparent is None else traceparent_of(request.traceparent)
        return SingleRequest(Message(requests, 1, head), (document.document_id,), partition, trace)

    def _make_head(
        self, request: CallRequest, stated: tuple[object, ...]
    ) -> tuple[bytes, int] | None:
        """Makes the head of a message; None if it does not stay the same, or is too large."""
        envelope = check_head(request, self._rules)
        if envelope.schedule["type"] == "custom" or len(envelope.context) > LONGEST_CONTEXT:
            return None
        if len(self._heads) >= HEADS_KEPT:
            self._heads = {}
        found = self._heads[stated] = head_of(envelope), self._partition_of(envelope)
        return found
