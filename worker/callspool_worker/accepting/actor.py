"""The actor ``accept``: messages of every partition, until the ledger has them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from callspool.request.identity import DEFAULT_ACCOUNT, partition_of
from callspool.request.message import VERSION
from callspool_ledger import keys
from callspool_ledger.writes import LedgerUnavailable
from callspool_worker import events
from callspool_worker.accepting.message_reader import Reader
from callspool_worker.accepting.report import acceptance_events
from callspool_worker.events.emitter import emit
from callspool_worker.persistence import GivenUp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.request.call_request import Rules
    from callspool.request.message import Envelope, RequestEnvelope
    from callspool.transport import StreamsBroker
    from callspool_ledger.writes import Accepted, Delivery, Ledger
    from callspool_worker.persistence import Persistence


class Accepter:
    """Accepts messages, and passes on what belongs to another partition.

    ``send`` is called with the partition while Redis is full: sending makes room. ``tell`` is
    called with it and the number of messages that were accepted. With one
    partition a message is tried until the ledger answers; with several it is given back to the
    broker, so that a node which is away holds up nobody else's.
    """

    def __init__(
        self,
        broker: StreamsBroker,
        ledgers: Sequence[Ledger],
        rules: Rules,
        persistence: Persistence,
        send: Callable[[int], None],
        emit: Callable[[int, int], None],
    ) -> None:
        self._broker = broker
        self._ledgers = ledgers
        self._reader = Reader(rules, ledgers[0].limits)
        self._persistence = persistence
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
            return self._persistence.until_answered(step, when_full=partial(self._send, 0))
        here = [(entry_id, self._pass_on(each, partition)) for entry_id, each in messages]
        return self._record(partition, [self._reader.read(*message) for message in here])

    def _record(
        self, partition: int, deliveries: Sequence[Delivery]
    ) -> list[tuple[Delivery, Accepted]]:
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
