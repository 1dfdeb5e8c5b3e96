"""Accepting: a message of call requests becomes documents that wait in their lanes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from callspool.errors import InvalidCallRequest
from callspool.request.checks import check_envelope, check_raw_document, read_all_trusted
from callspool.request.identity import DEFAULT_ACCOUNT, digester, number_digests
from callspool.request.raw_document import read_both_numbers
from callspool_ledger.guard.numbers import WrittenNumbers
from callspool_ledger.selectors import lane_of_class
from callspool_ledger.writes import Delivery, Group, LaneKey, Refusal
from callspool_worker.sending.body import empty_body_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from callspool.hours.numbers import Classifier
    from callspool.request.call_request import Rules
    from callspool.request.message import Envelope, RequestEnvelope
    from callspool_ledger.writes import Limits

ClassifierOf: TypeAlias = "Callable[[str, str], Classifier | None]"
"""Returns what tells the zones of the contacts of an account's campaign."""

RAW_KEPT = 4096
"""Bytes of a refused document that are kept for the operator."""

_HEADS_KEPT = 256
_LONGEST_CONTEXT = 4096
"""Heads of requests that are remembered, and characters of the longest context among them."""

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


class _RequestHead(NamedTuple):
    """What the head of a request says, once it is checked."""

    key: LaneKey
    lane_id: str
    empty_body_bytes: int
    expires_ms: int
    digest: Callable[[str], bytes]

    def is_same(self, other: _RequestHead) -> bool:
        """Whether documents of both may be accepted together."""
        return self is other or (self.lane_id, self.expires_ms) == (other.lane_id, other.expires_ms)


@dataclass(slots=True)
class _LaneStretch:
    """Documents for one lane, from requests that follow each other, that passed."""

    lane: _RequestHead
    ids: list[str] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    alternates: list[str | None] = field(default_factory=list)


class Reader:
    """Checks what a message holds and sorts it into lanes; a bad document never harms another.

    ``classifier_of``: what tells the zones of a campaign's contacts, where it has calling hours.
    Threads may share it.
    """

    def __init__(
        self,
        rules: Rules,
        limits: Limits,
        now: Callable[[], float] = time.time,
        classifier_of: ClassifierOf = lambda *_: None,
    ) -> None:
        self._classifier_of = classifier_of
        self._rules = rules
        self._limits = limits
        self._now = now
        self._lanes: dict[tuple[object, ...], _RequestHead] = {}

    def read(self, entry_id: str, envelope: Envelope) -> Delivery:
        """Returns the delivery that a message is; never raises for what it holds."""
        delivery = Delivery(
            entry_id, envelope.counted, trace=envelope.trace or "", key=envelope.key or ""
        )
        runs: list[_LaneStretch] = []
        for request in envelope.requests:
            try:
                lane = self._lane_of(request)
            except InvalidCallRequest as fault:
                delivery.refusals.extend(self._refuse_all(entry_id, request, fault))
                continue
            # Only neighbours are joined: of two documents with one id the first one counts.
            if not runs or not runs[-1].lane.is_same(lane):
                runs.append(_LaneStretch(lane))
            delivery.refusals.extend(
                self._check_documents(entry_id, request, envelope.checked, runs[-1])
            )
        for run in runs:
            key = run.lane.key
            classifier = self._classifier_of(key.account, key.campaign)
            for zones, each in [("", run)] if classifier is None else _by_zones(run, classifier):
                delivery.groups.extend(self._groups(each, zones))
        return delivery

    def _lane_of(self, request: RequestEnvelope) -> _RequestHead:
        """The checked head of a request; one that came before is not checked again."""
        head = _head(request)
        if head is None:
            return self._checked_lane(request)
        lane = self._lanes.get(head)
        if lane is None:
            lane = self._checked_lane(request)
            if len(self._lanes) >= _HEADS_KEPT:
                self._lanes = {}
            self._lanes[head] = lane
        return lane

    def _checked_lane(self, request: RequestEnvelope) -> _RequestHead:
        envelope = check_envelope(request, self._rules)
        schedule = _encode(envelope.schedule).decode()
        key = LaneKey(*envelope.scope, envelope.pilot, envelope.context, schedule)
        expires = envelope.expires_at
        expires_ms = 0 if expires is None else max(1, int(expires * 1000))
        head, digest = empty_body_bytes(key), digester(envelope.scope)
        return _RequestHead(key, envelope.lane_id, head, expires_ms, digest)

    def _check_documents(
        self, entry_id: str, request: RequestEnvelope, trusted: bool, run: _LaneStretch
    ) -> Iterator[Refusal]:
        known = read_all_trusted(request.documents) if trusted else None
        if known is not None:
            run.ids += known.ids
            run.numbers += known.numbers
            run.alternates += known.alternates
            run.documents += map(bytes, request.documents)
            return
        for place, raw in enumerate(request.documents):
            try:
                document = check_raw_document(bytes(raw), self._rules, trusted, place)
            except InvalidCallRequest as fault:
                yield self._refusal(entry_id, run.lane.key.account, fault, raw)
            else:
                run.ids.append(document.document_id)
                run.documents.append(document.raw)
                numbers = read_both_numbers(document.raw)
                run.numbers.append(numbers.contact_number)
                run.alternates.append(numbers.alternate_number)

    def _groups(self, run: _LaneStretch, zones: str) -> Iterator[Group]:
        lane = run.lane
        lane_id = lane_of_class(lane.lane_id, zones) if zones else lane.lane_id
        digests = [*map(lane.digest, run.ids)]
        numbers = number_digests(run.numbers)
        room = self._limits.batch_bytes - lane.empty_body_bytes - self._limits.bytes_a_document
        for piece, oversize in _pieces(run.documents, room, self._limits.batch_size):
            yield Group(
                lane_id=lane_id,
                lane=lane.key,
                empty_body_bytes=lane.empty_body_bytes,
                digests=digests[piece],
                documents=run.documents[piece],
                numbers=numbers[piece],
                expires_ms=lane.expires_ms,
                reason=self._too_large() if oversize else "",
                zones=zones,
                written=WrittenNumbers(run.numbers[piece], run.alternates[piece]),
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


def _by_zones(run: _LaneStretch, classifier: Classifier) -> Iterator[tuple[str, _LaneStretch]]:
    """The documents by classes of their zones. Before an id that comes again those before it are
    told: of two documents with one id the first one counts.
    """
    classes = [*map(classifier.classify, run.numbers, run.documents)]
    for stretch in _without_repeats(run.ids):
        places: dict[str, list[int]] = {}
        for place in stretch:
            places.setdefault(classes[place], []).append(place)
        for zones, each in places.items():
            found = _LaneStretch(run.lane)
            found.ids = [run.ids[place] for place in each]
            found.documents = [run.documents[place] for place in each]
            found.numbers = [run.numbers[place] for place in each]
            found.alternates = [run.alternates[place] for place in each]
            yield zones, found


def _without_repeats(ids: Sequence[str]) -> Iterator[range]:
    """Stretches of places, in none of which an id comes twice: one, as a rule."""
    first, seen = 0, set[str]()
    for place, each in enumerate(ids if len({*ids}) < len(ids) else ()):
        if each in seen:
            yield range(first, place)
            first, seen = place, set()
        seen.add(each)
    yield range(first, len(ids))


def _head(request: RequestEnvelope) -> tuple[object, ...] | None:
    """What tells the heads of requests apart; None where it is not worth remembering."""
    schedule, context = request.schedule, request.context
    if not request.documents or (isinstance(context, str) and len(context) > _LONGEST_CONTEXT):
        return None
    if isinstance(schedule, dict):
        schedule = tuple(schedule.items())
    head = (
        request.space_token,
        request.pilot,
        context,
        schedule,
        request.campaign,
        request.account,
        request.expires_at,
        type(request.expires_at),  # true is not 1
    )
    try:
        hash(head)
    except TypeError:  # an array or an object where a word should be
        return None
    return head


def _pieces(documents: list[bytes], room: int, size: int) -> Iterator[tuple[slice, bool]]:
    """Runs of at most ``size`` documents; one too large for any body (True) stands alone."""
    if max(map(len, documents), default=0) <= room:
        for start in range(0, len(documents), size):
            yield slice(start, start + size), False
        return
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
