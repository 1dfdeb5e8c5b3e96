"""Accepting: a message of call requests becomes documents that wait in their lanes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from callspool.checks import check_envelope, check_raw_document
from callspool.errors import InvalidCallRequest
from callspool.identity import DEFAULT_ACCOUNT, digester
from callspool_worker.body import empty_body_bytes
from callspool_worker.ledger import Delivery, Group, LaneKey, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callspool.call_request import CheckedEnvelope
    from callspool.message import Envelope, RequestEnvelope
    from callspool.rules import Rules
    from callspool_worker.ledger import Limits

RAW_KEPT = 4096
"""Bytes of a refused document that are kept for the operator."""

_encode = msgspec.json.Encoder().encode


class RefusedDocument(msgspec.Struct, omit_defaults=True):
    """What the operator reads of a document that was refused; ``at`` in unix seconds."""

    at: float
    account: str
    message: str
    place: int | None
    document_id: str | None
    field: str
    reason: str
    document: str = ""


@dataclass(slots=True)
class _Checked:
    """Documents of one request that passed, and those that did not."""

    ids: list[str] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class Reader:
    """Checks what a message holds and sorts it into lanes; a bad document never harms another."""

    def __init__(self, rules: Rules, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._limits = limits
        self._now = now

    def read(self, entry_id: str, envelope: Envelope) -> Delivery:
        """The delivery that a message is; never raises for what it holds."""
        delivery = Delivery(entry_id, envelope.counted)
        for request in envelope.requests:
            try:
                checked = check_envelope(request, self._rules)
            except InvalidCallRequest as fault:
                delivery.refusals.extend(self._refuse_all(entry_id, request, fault))
                continue
            documents = self._check_documents(entry_id, request, checked, envelope.checked)
            delivery.refusals.extend(documents.refusals)
            delivery.groups.extend(self._groups(checked, documents))
        return delivery

    def _check_documents(
        self, entry_id: str, request: RequestEnvelope, envelope: CheckedEnvelope, trusted: bool
    ) -> _Checked:
        found = _Checked()
        for place, raw in enumerate(request.documents):
            try:
                document = check_raw_document(bytes(raw), self._rules, trusted, place)
            except InvalidCallRequest as fault:
                found.refusals.append(self._refusal(entry_id, envelope.account, fault, raw))
            else:
                found.ids.append(document.document_id)
                found.documents.append(document.raw)
        return found

    def _groups(self, envelope: CheckedEnvelope, checked: _Checked) -> Iterator[Group]:
        if not checked.documents:
            return
        schedule = _encode(envelope.schedule).decode()
        lane = LaneKey(*envelope.scope, envelope.pilot, envelope.context, schedule)
        empty, lane_id = empty_body_bytes(lane), envelope.lane_id
        expires_ms = 0 if envelope.expires_at is None else max(1, int(envelope.expires_at * 1000))
        digests = [*map(digester(envelope.scope), checked.ids)]
        room = self._limits.batch_bytes - empty - self._limits.bytes_a_document
        for piece, oversize in _pieces(checked.documents, room, self._limits.batch_size):
            yield Group(
                lane_id=lane_id,
                lane=lane,
                empty_body_bytes=empty,
                digests=digests[piece],
                documents=checked.documents[piece],
                expires_ms=expires_ms,
                reason=self._too_large() if oversize else "",
            )

    def _too_large(self) -> str:
        return (
            f"with its request's context it is larger than CALLSPOOL_BATCH_BYTES"
            f" ({self._limits.batch_bytes} bytes)"
        )

    def _refuse_all(
        self, entry_id: str, request: RequestEnvelope, fault: InvalidCallRequest
    ) -> Iterator[Refusal]:
        account = request.account if isinstance(request.account, str) else DEFAULT_ACCOUNT
        for raw in request.documents or [msgspec.Raw(b"")]:
            yield self._refusal(entry_id, account[:32], fault, raw)

    def _refusal(
        self, entry_id: str, account: str, fault: InvalidCallRequest, raw: msgspec.Raw
    ) -> Refusal:
        record = RefusedDocument(
            at=self._now(),
            account=account,
            message=entry_id,
            place=fault.document,
            document_id=fault.document_id,
            field=fault.field,
            reason=fault.reason,
            document=bytes(raw)[:RAW_KEPT].decode(errors="replace"),
        )
        return Refusal(account, _encode(record))


def _pieces(documents: list[bytes], room: int, size: int) -> Iterator[tuple[slice, bool]]:
    """Runs of at most ``size`` documents; one too large for any body (True) stands alone."""
    start = 0
    for place, document in enumerate(documents):
        if len(document) > room:
            if place > start:
                yield slice(start, place), False
            yield slice(place, place + 1), True
            start = place + 1
        elif place - start == size:
            yield slice(start, place), False
            start = place
    if start < len(documents):
        yield slice(start, len(documents)), False
