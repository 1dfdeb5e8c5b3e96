"""Delivery to endpoints: one thread for each, and one of all threads of an endpoint at a time."""

from __future__ import annotations

import hashlib
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from callspool.errors import CursorTooOld, SettingsError
from callspool_ledger.reads.feed import (
    cursor_since,
    decode_cursor,
    encode_cursor,
    join_page,
    read_feed,
)
from callspool_ledger.webhooks import (
    AsideEvent,
    EndpointState,
    lease_endpoint,
    read_lease,
    record_delivery,
)
from callspool_ledger.writes import LedgerUnavailable
from callspool_worker import backoff, events
from callspool_worker.api.endpoint import POST_SECONDS, EndpointClient, PostAnswer
from callspool_worker.events.event import emit
from callspool_worker.webhooks.plan import (
    OutgoingEvent,
    begin_anew,
    count_events,
    fill_post,
    is_off,
    judge_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

    from callspool.settings.kinds import Secret
    from callspool.settings.model import WebhookEndpoint
    from callspool_ledger.reads.feed import FeedEvent
    from callspool_ledger.webhooks import EndpointLease
    from callspool_ledger.writes import Ledger
    from callspool_worker.webhooks.plan import DeliveryStep

STANDBY = 5.0
"""Seconds until a thread asks again whether it may deliver, or its endpoint has rested."""

IDLE = 1.0
"""Seconds until the feed is looked at again that held nothing new."""

FAILED_PAUSE = 5.0

EVENTS_A_READ = 200
"""Events of a partition that one step looks at: what an endpoint does not want is passed over."""


class FeedEntry(NamedTuple):
    """An event, and the feed's cursor behind it."""

    event: FeedEvent
    cursor: str


class Feed(Protocol):
    """What delivery wants of the feed."""

    def read(self, cursor: str, most: int) -> Sequence[FeedEntry]:
        """Returns events behind the cursor in their order; raises `CursorTooOld`."""

    def cursor_at(self, ms: int) -> str:
        """Returns the cursor behind all that was written before that."""


class LedgerFeed:
    """The feed of all partitions, as one reader of that name reads it."""

    def __init__(self, ledgers: Sequence[Ledger], reader: str) -> None:
        self._ledgers = ledgers
        self._reader = reader

    def read(self, cursor: str, most: int) -> list[FeedEntry]:
        """Returns events behind the cursor in their order, each with the cursor behind it.

        Raises `CursorTooOld` and `LedgerUnavailable`.
        """
        positions = decode_cursor(cursor, len(self._ledgers))
        reading = read_feed(positions, most, self._reader)
        parts = [part for ledger in self._ledgers for part in ledger.read(reading)]
        behind = [iter(part.events) for part in parts]
        found = []
        for event in join_page(parts, most).events:
            place = int(event.id.partition("-")[0])
            _, positions[place] = next(behind[place])
            found.append(FeedEntry(event, encode_cursor(positions)))
        return found

    def cursor_at(self, ms: int) -> str:
        """Returns the cursor behind all that was written before that."""
        return cursor_since(datetime.fromtimestamp(ms / 1000, UTC), len(self._ledgers))


class Posts(Protocol):
    """What delivery wants of an endpoint's client."""

    def post(self, body: bytes, headers: Mapping[str, str]) -> PostAnswer:
        """Sends a body; returns what came of it."""


class EndpointDelivery:
    """Delivers the feed to one endpoint, a POST a step. ``holder`` names this thread for ever.

    ``clock`` makes the time by which it goes of Redis' time, both in ms.
    """

    def __init__(
        self,
        ledger: Ledger,
        feed: Feed,
        endpoint: WebhookEndpoint,
        client: Posts,
        holder: str,
        wait: Callable[[int, float | None], float] = backoff.delay,
        clock: Callable[[int], int] = lambda ms: ms,
    ) -> None:
        self._ledger = ledger
        self._feed = feed
        self._endpoint = endpoint
        self._client = client
        self._holder = holder
        self._wait = wait
        self._clock = clock
        self._cursor = ""  # where it was, in case that Redis is emptied

    def step(self) -> float:
        """Delivers what fits into one POST; seconds until the next step is worth while.

        Raises `LedgerUnavailable`.
        """
        name = self._endpoint.name
        lease = read_lease(self._ledger.run([lease_endpoint(name, self._holder)])[0])
        if lease is None:
            return STANDBY
        state, now_ms = lease.state, self._clock(lease.now_ms)
        if not state.cursor:
            begin = self._cursor or self._feed.cursor_at(lease.now_ms)
            self._record(lease, EndpointState(cursor=begin), {})
            return 0.0
        self._cursor = state.cursor
        if is_off(state, self._endpoint.url):
            return STANDBY
        if state.off:
            state = begin_anew(state)
        rests = (state.rest_until - now_ms) / 1000
        if 0 < rests <= 2 * backoff.LONGEST_RETRY_AFTER:
            return min(rests, STANDBY)
        return self._deliver(lease, state, now_ms)

    def give_up(self) -> None:
        """Lets another thread deliver at once; passes over a missing answer."""
        try:
            self._ledger.run([lease_endpoint(self._endpoint.name, self._holder, 0)])
        except LedgerUnavailable:
            return

    def _deliver(self, lease: EndpointLease, state: EndpointState, now_ms: int) -> float:
        try:
            entries = self._feed.read(state.cursor, EVENTS_A_READ)
        except CursorTooOld as gone:
            self._record(
                lease, msgspec.structs.replace(state, cursor=gone.oldest), {"events:missed": 1}
            )
            self._tell("missed")
            return 0.0
        wanted = [
            OutgoingEvent(one.event.id, encode_event(one.event), one.cursor)
            for one in entries
            if self._endpoint.wants(one.event.type, one.event.account, one.event.campaign or "")
        ]
        if not wanted:
            if entries:
                passed = msgspec.structs.replace(state, cursor=entries[-1].cursor)
                self._record(lease, passed, {})
            return 0.0 if len(entries) >= EVENTS_A_READ else IDLE
        sent = fill_post(wanted, count_events(state), len(_wrap([])))
        answer = self._post([event.id for event in sent], _wrap([event.body for event in sent]))
        step = judge_answer(state, sent, answer, now_ms, self._endpoint.url, self._wait)
        if self._record_step(lease, step, now_ms):
            self._tell_step(state, step)
        return 0.0

    def _post(self, ids: Sequence[str], body: bytes) -> PostAnswer:
        try:
            secrets = self._endpoint.current_secrets()
        except SettingsError as unreadable:
            return PostAnswer(0, None, str(unreadable))
        return self._client.post(body, sign(ids, body, secrets))

    def _record_step(self, lease: EndpointLease, step: DeliveryStep, now_ms: int) -> bool:
        counts = {f"posts:{step.outcome}": 1}
        aside = None
        if step.aside is not None:
            aside = AsideEvent(msgspec.Raw(step.aside.body), step.state.why, now_ms)
            counts["events:set_aside"] = 1
        elif step.events:
            counts["events:delivered"] = step.events
        return self._record(lease, step.state, counts, aside)

    def _record(
        self,
        lease: EndpointLease,
        after: EndpointState,
        counts: Mapping[str, int],
        aside: AsideEvent | None = None,
    ) -> bool:
        """Records it; False where an operator, or another thread, was faster: it goes on there."""
        name = self._endpoint.name
        step = record_delivery(name, self._holder, lease.stored, after, counts, aside)
        return self._ledger.run([step]) == [1]

    def _tell_step(self, before: EndpointState, step: DeliveryStep) -> None:
        if step.aside is not None:
            self._tell("set_aside", step.state.why)
        if step.state.off:
            self._tell("off", step.state.why)
        elif step.state.resting_since and not before.resting_since:
            self._tell("resting", step.state.why)
        elif before.resting_since and not step.state.resting_since:
            self._tell("back")

    def _tell(self, became: str, why: str = "") -> None:
        emit(events.EndpointChanged(endpoint=self._endpoint.name, became=became, why=why))


encode_event = msgspec.json.Encoder().encode


def sign(ids: Sequence[str], body: bytes, secrets: Sequence[Secret]) -> dict[str, str]:
    """Returns the headers of Standard Webhooks for a body: the same id for the same events."""
    from standardwebhooks import Webhook  # noqa: PLC0415 - an extra's; `check_signing` looks for it

    name = f"msg_{hashlib.sha256(','.join(ids).encode()).hexdigest()[:32]}"
    at = datetime.now(UTC)
    text = body.decode()
    signatures = [Webhook(one.reveal()).sign(name, at, text) for one in secrets]
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def check_signing(endpoints: Mapping[str, object]) -> None:
    """Raises `SettingsError` where there are endpoints and the package that signs is missing."""
    if not endpoints:
        return
    try:
        import standardwebhooks  # noqa: F401, PLC0415 - an extra's
    except ModuleNotFoundError:
        raise SettingsError(
            f"[webhooks.{min(endpoints)}]: the package standardwebhooks is missing:"
            " pip install './callspool[webhooks]'"
        ) from None


def _wrap(bodies: Sequence[bytes], kind: str = "callspool.events") -> bytes:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    head = f'{{"type":"{kind}","timestamp":"{at}","data":{{"events":['
    return head.encode() + b",".join(bodies) + b"]}}"


def send_test(endpoint: WebhookEndpoint, client: Posts) -> PostAnswer:
    """Sends an event of type ``callspool.test``, without events, to an endpoint.

    Raises `SettingsError` where its secret cannot be read.
    """
    body = _wrap([], "callspool.test")
    return client.post(body, sign([body.decode()], body, endpoint.current_secrets()))


def start_delivery(
    ledgers: Sequence[Ledger],
    endpoints: Mapping[str, WebhookEndpoint],
    name: str,
    stop: threading.Event,
    stack: ExitStack,
    seconds: float,
) -> None:
    """Starts a thread for each endpoint. They end once ``stop`` is set, while the worker finishes
    what it sent; the stack waits at most ``seconds`` for them. Raises `SettingsError`.
    """
    if endpoints:
        check_signing(endpoints)
        threads = DeliveryThreads(ledgers, endpoints, name, stop)
        threads.start()
        stack.callback(threads.stop, timeout=min(seconds, POST_SECONDS + FAILED_PAUSE))


class DeliveryThreads:
    """A thread for each endpoint, until ``stop`` is set. ``name``: of this process, for ever."""

    def __init__(
        self,
        ledgers: Sequence[Ledger],
        endpoints: Mapping[str, WebhookEndpoint],
        name: str,
        stop: threading.Event,
    ) -> None:
        self._stopped = stop
        self._threads = []
        for one in endpoints.values():
            feed, client = LedgerFeed(ledgers, f"webhook-{one.name}"), EndpointClient(one)
            delivery = EndpointDelivery(ledgers[0], feed, one, client, name)
            name_of_thread = f"webhook-{one.name}"
            thread = threading.Thread(
                target=self._run, args=(delivery,), name=name_of_thread, daemon=True
            )
            self._threads.append(thread)

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Ends each thread after its POST, all in ``timeout`` seconds at most."""
        self._stopped.set()
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, delivery: EndpointDelivery) -> None:
        while not self._stopped.is_set():
            self._stopped.wait(self._step(delivery))
        delivery.give_up()

    def _step(self, delivery: EndpointDelivery) -> float:
        try:
            return delivery.step()
        except LedgerUnavailable:
            return FAILED_PAUSE
        except Exception as error:  # noqa: BLE001 - nothing else delivers to this endpoint
            emit(events.StepFailed(part="delivering events", pause=FAILED_PAUSE), error=error)
            return FAILED_PAUSE
