"""The actor ``accept``: it screens messages of all partitions, takes them in, and reports them."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from dramatiq import Message

from callspool.errors import MessageUnreadable
from callspool.request.identity import DEFAULT_ACCOUNT, partition_of
from callspool.request.message import VERSION
from callspool.request.message import decode as decode_requests
from callspool.transport.messages import Undecodable
from callspool_ledger import keys
from callspool_ledger.guard import GuardQuestion
from callspool_ledger.writes import LedgerUnavailable
from callspool_worker import events
from callspool_worker.accepting.message_reader import Reader
from callspool_worker.backoff import GivenUp
from callspool_worker.events.event import account_shown, emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from callspool.request.call_request import Rules
    from callspool.request.message import Envelope, RequestEnvelope
    from callspool.transport import StreamsBroker
    from callspool.transport.messages import Codec
    from callspool_ledger.guard import Clearance, Guard
    from callspool_ledger.writes import Accepted, Delivery, Group, Ledger
    from callspool_worker.accepting.message_reader import ClassifierOf
    from callspool_worker.backoff import LedgerRetry
    from callspool_worker.events import Event


def screen_deliveries(guard: Guard, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
    """Asks the guard in one round trip; documents on a list get groups of their own, the others
    keep by which lists they were cleared.

    Raises `LedgerUnavailable`.
    """
    groups = [group for delivery in deliveries for group in delivery.groups if not group.reason]
    questions = [
        GuardQuestion(group.lane.account, group.lane.campaign, group.documents, group.written)
        for group in groups
    ]
    found = dict(zip(map(id, groups), guard.screen_all(questions), strict=True))

    def parts(group: Group) -> Iterator[Group]:
        clearance = found.get(id(group))
        return iter((group,)) if clearance is None else _parts(guard, group, clearance)

    return [
        replace(delivery, groups=[part for group in delivery.groups for part in parts(group)])
        for delivery in deliveries
    ]


def _parts(guard: Guard, group: Group, clearance: Clearance) -> Iterator[Group]:
    """The documents that may be called, and those that a list is about, a group for each list."""
    cleared = guard.name_lists(clearance.key_id, clearance.version)
    if not clearance.hits:
        yield replace(group, cleared=cleared)
        return
    struck = {place for hit in clearance.hits for place in hit.places}
    kept = [place for place in range(len(group.documents)) if place not in struck]
    if kept:
        yield replace(_some(group, kept), cleared=cleared)
    for hit in clearance.hits:
        part = _some(group, hit.places)
        yield replace(part, reason=hit.source.reason, suppressed=hit.kind)


def _some(group: Group, places: Iterable[int]) -> Group:
    """The documents at these places alone."""
    at = [*places]
    return replace(
        group,
        digests=[group.digests[place] for place in at],
        documents=[group.documents[place] for place in at],
        numbers=[group.numbers[place] for place in at] if group.numbers else [],
        written=None,
    )


ACCEPT = "accept"
SUBMIT = "submit"


class RequestsCodec:
    """Entries of producers: they go to ``accept``, read once, with their id.

    Raises `Undecodable` for what no worker of this release can read: it is kept whole.
    """

    def decode(self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]) -> Message[Any]:
        try:
            envelope = decode_requests(fields)
        except MessageUnreadable as fault:
            raise Undecodable(str(fault)) from None
        _, partition = keys.queue_and_partition(queue_name)
        args = (((entry_id, envelope),), partition)
        return Message(queue_name, ACCEPT, args, {}, {}, message_id=entry_id)

    def join(self, messages: Sequence[Message[Any]]) -> Message[Any]:
        entries = tuple(entry for message in messages for entry in message.args[0])
        return messages[0].copy(args=(entries, messages[0].args[1]))

    def encode(self, message: Message[Any]) -> Mapping[str | bytes, bytes]:
        del message
        raise TypeError("call requests are enqueued by producers: use callspool.CallQueue")


class WakeupsCodec:
    """Entries of the ledger: all say the same, that something may be ready to be sent."""

    def decode(self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]) -> Message[Any]:
        del fields
        _, partition = keys.queue_and_partition(queue_name)
        return Message(queue_name, SUBMIT, (partition,), {}, {}, message_id=entry_id)

    def encode(self, message: Message[Any]) -> Mapping[str | bytes, bytes]:
        del message
        return {"w": b"1"}


CODECS: dict[str, Codec] = {keys.REQUESTS: RequestsCodec(), keys.WAKEUPS: WakeupsCodec()}


BATCHES_TOLD = 50
"""Batches that an event of acceptance names, at most."""


@dataclass(slots=True)
class _AcceptanceCounts:
    """What messages held for one account."""

    ids: list[str] = field(default_factory=list)
    documents: int = 0
    duplicate: int = 0
    conflict: int = 0
    invalid: int = 0
    dead: int = 0
    suppressed: int = 0
    batches: dict[int, None] = field(default_factory=dict)


def acceptance_events(found: Iterable[tuple[Delivery, Accepted]]) -> Iterator[Event]:
    """Yields an event for each account and key of messages that were accepted together.

    One with a trace, or with something to warn of, is told by itself; none that was known before.
    """
    shared: dict[str, dict[str, _AcceptanceCounts]] = defaultdict(dict)
    for delivery, accepted in found:
        if accepted.known:
            continue
        alone = delivery.trace or delivery.refusals or any(each.reason for each in delivery.groups)
        tallies = {} if alone else shared[delivery.key]
        _add(tallies, delivery, accepted)
        if alone:
            yield from _events(tallies, delivery.key, delivery.trace)
    for key, tallies in shared.items():
        yield from _events(tallies, key)


def _add(tallies: dict[str, _AcceptanceCounts], delivery: Delivery, accepted: Accepted) -> None:
    entry_id = delivery.entry_id
    for group, (new, known, other) in zip(delivery.groups, accepted.by_group, strict=True):
        tally = _of(tallies, group.lane.account, entry_id)
        tally.documents += new
        tally.duplicate += known
        tally.conflict += other
        if group.suppressed:
            tally.suppressed += new
        elif group.reason:
            tally.dead += new
    for refusal in delivery.refusals:
        _of(tallies, refusal.account, entry_id).invalid += 1
    for tally in tallies.values():
        if tally.ids[-1] == entry_id:
            tally.batches.update(dict.fromkeys(accepted.batches))


def _of(tallies: dict[str, _AcceptanceCounts], account: str, entry_id: str) -> _AcceptanceCounts:
    """The account's tally, which counts this message now."""
    tally = tallies.get(account)
    if tally is None:
        tally = tallies[account] = _AcceptanceCounts()
    if not tally.ids or tally.ids[-1] != entry_id:
        tally.ids.append(entry_id)
    return tally


def _events(tallies: dict[str, _AcceptanceCounts], key: str, trace: str = "") -> Iterator[Event]:
    for account, tally in tallies.items():
        yield events.MessageAccepted(
            message_id=tally.ids[0],
            message_ids=tuple(tally.ids) if len(tally.ids) > 1 else (),
            account=account_shown(account),
            documents=tally.documents,
            duplicate=tally.duplicate,
            conflict=tally.conflict,
            invalid=tally.invalid,
            dead=tally.dead,
            suppressed=tally.suppressed,
            batches=tuple(tally.batches)[:BATCHES_TOLD],
            trace=trace,
            key=key,
        )


class Accepter:
    """Accepts messages, and passes on what belongs to another partition.

    ``send`` is called with the partition while Redis is full: sending makes room. ``tell`` is
    called with it and the number of messages that were accepted. With one
    partition a message is tried until the ledger answers; with several it is given back to the
    broker, so that a node which is away holds up no other partition.
    """

    def __init__(
        self,
        broker: StreamsBroker,
        ledgers: Sequence[Ledger],
        rules: Rules,
        retry: LedgerRetry,
        send: Callable[[int], None],
        emit: Callable[[int, int], None],
        guard: Guard | None = None,
        classifier_of: ClassifierOf = lambda *_: None,
    ) -> None:
        self._broker = broker
        self._ledgers = ledgers
        self._guard = guard
        self._reader = Reader(rules, ledgers[0].limits, classifier_of=classifier_of)
        self._retry = retry
        self._send = send
        self._tell = emit

    def accept(self, messages: Sequence[tuple[str, Envelope]], partition: int = 0) -> None:
        """The actor, for messages by their entry ids. Until it marks one as recorded, the broker
        delivers it again.
        """
        queue = keys.queue_name(keys.REQUESTS, partition)
        try:
            accepted = self._accept(messages, partition)
        except GivenUp as reason:
            for entry_id, _ in messages:
                emit(events.Left(message_id=entry_id, why=str(reason)))
            return
        except LedgerUnavailable:
            for entry_id, _ in messages:
                self._broker.excuse(queue, entry_id)
            self._send(partition)
            return
        self._broker.mark_recorded(queue, [entry_id for entry_id, _ in messages])
        self._tell(partition, len(messages))
        for event in acceptance_events(accepted):
            emit(event)

    def _accept(
        self, messages: Sequence[tuple[str, Envelope]], partition: int
    ) -> list[tuple[Delivery, Accepted]]:
        if len(self._ledgers) == 1:
            deliveries = [self._reader.read(*message) for message in messages]
            step = partial(self._record, 0, deliveries)
            return self._retry.until_answered(step, when_full=self._wait_for_room)
        here = [(entry_id, self._pass_on(each, partition)) for entry_id, each in messages]
        return self._record(partition, [self._reader.read(*message) for message in here])

    def _wait_for_room(self) -> None:
        """Redis is full: sending makes room, and a worker that ends now ends by no message."""
        self._broker.excuse_all(keys.queue_name(keys.REQUESTS))
        self._send(0)

    def _record(
        self, partition: int, deliveries: Sequence[Delivery]
    ) -> list[tuple[Delivery, Accepted]]:
        if self._guard is not None and self._guard.is_used:
            with suppress(LedgerUnavailable):  # it is asked again before anything is sent
                deliveries = screen_deliveries(self._guard, deliveries)
        accepted = self._ledgers[partition].accept(deliveries)
        return [*zip(deliveries, accepted, strict=True)]

    def _pass_on(self, envelope: Envelope, partition: int) -> Envelope:
        """What belongs here; the rest is in the streams of its partitions when this returns."""
        others: dict[int, list[RequestEnvelope]] = {}
        for request in envelope.requests:
            home = self._home_of(request, partition)
            others.setdefault(home, []).append(request)
        here = others.pop(partition, [])
        for home, requests in others.items():
            fields: dict[str, Any] = {"v": VERSION, "requests": msgspec.json.encode(requests)}
            if envelope.checked:
                fields["checked"] = 1
            if envelope.trace is not None:
                fields["trace"] = envelope.trace
            if envelope.key is not None:
                fields["key"] = envelope.key
            self._ledgers[home].spool(fields)
        return msgspec.structs.replace(envelope, requests=here) if others else envelope

    def _home_of(self, request: RequestEnvelope, here: int) -> int:
        """Where a request belongs; one that names no space is refused where it is."""
        space, account = request.space_token, request.account or DEFAULT_ACCOUNT
        if not isinstance(space, str) or not isinstance(account, str):
            return here
        try:
            return partition_of(account, space, len(self._ledgers))
        except UnicodeEncodeError:
            return here
