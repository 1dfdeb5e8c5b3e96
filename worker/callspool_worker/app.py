"""The composition root: one worker process, from its settings to its threads."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, cast

import dramatiq
import redis

from callspool import keys
from callspool.broker import StreamsBroker
from callspool.errors import CallspoolError, QueueUnavailable
from callspool.rules import Rules
from callspool_worker import api, body, events
from callspool_worker.accept import Reader, told
from callspool_worker.backoff import FIRST_PROBE, LAST_PROBE
from callspool_worker.leases import MARGIN, longest_stop
from callspool_worker.ledger import Ledger, LedgerUnavailable, Limits
from callspool_worker.permits import MOST_SENDERS, Courier, Permits, Senders
from callspool_worker.persistence import GivenUp, Persistence
from callspool_worker.pulse import Pulse, Reporter
from callspool_worker.queues import ACCEPT, CODECS, SUBMIT
from callspool_worker.reconcile import LOOKERS, Prover, Proving, Reconciler
from callspool_worker.recording import Recorder
from callspool_worker.submit import Api, Delivering, Submitter
from callspool_worker.sweep import Sweeper
from callspool_worker.telling import tell

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from callspool.message import Envelope
    from callspool.settings import Settings
    from callspool_worker.answers import Answer
    from callspool_worker.ledger.limits import Durability

REDIS_TIMEOUT = 10.0
"""Seconds until a command counts as unanswered."""

IDLE_LOOK_MS = 200
"""Milliseconds that an idle consumer waits in Redis before it looks whether it shall stop."""


def connect(url: str) -> redis.Redis:
    """A client of the ledger. It repeats nothing by itself: the ledger knows what may be."""
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT / 2,
        retry=None,
        client_name="callspool-worker",
    )


def limits_of(settings: Settings) -> Limits:
    """The ledger's limits as the settings have them."""
    return Limits(
        batch_size=settings.batch_size,
        batch_bytes=settings.batch_bytes,
        linger_ms=int(settings.linger * 1000),
        bytes_a_document=body.BYTES_A_DOCUMENT,
        mark_attempts=settings.mark_attempts,
        durable_takes=cast("Durability", settings.durable_takes),
        first_probe_ms=int(FIRST_PROBE * 1000),
        last_probe_ms=int(LAST_PROBE * 1000),
    )


def ledger_of(settings: Settings, client: redis.Redis) -> Ledger:
    """The ledger under these settings; nothing of it is read or written."""
    return Ledger(client, limits_of(settings))


def open_ledger(settings: Settings, client: redis.Redis) -> Ledger:
    """The ledger, begun if there is none.

    Raises `QueueUnavailable` if Redis does not answer and `LedgerMismatch` if the ledger follows
    other rules.
    """
    ledger = ledger_of(settings, client)
    try:
        ledger.open()
        ledger.check_durability()
    except LedgerUnavailable as error:
        raise QueueUnavailable(f"{error}; check CALLSPOOL_REDIS_URL") from error
    return ledger


def run_worker(
    settings: Settings,
    *,
    threads: int,
    incarnation: str,
    stop: threading.Event,
    ready: Callable[[], None],
    report: Callable[[bytes], None] | None = None,
) -> None:
    """Runs one worker process until ``stop``; what was sent is finished, the rest given back.

    ``incarnation`` names this process among all that ever were; ``report`` is told its vital signs.
    Raises `CallspoolError`.
    """
    pulse = Pulse(threads)
    with ExitStack() as stack:
        client = stack.enter_context(closing(connect(settings.redis_url)))
        ledger = open_ledger(settings, client)
        for weakness in ledger.weaknesses():
            tell(events.Weakness(why=weakness))
        unpod = stack.enter_context(
            closing(
                api.UnpodApi(
                    settings.accounts,
                    request_timeout=settings.request_timeout,
                    max_connections=MOST_SENDERS + threads + LOOKERS,
                )
            )
        )
        persistence = Persistence(stop, give_up_after=settings.request_timeout)
        permits = permits_of(settings, incarnation)
        submitter = Submitter(
            ledger,
            Api(
                pulse.asking(partial(_create, unpod)), pulse.asking(partial(_read, unpod)), api.now
            ),
            Recorder(ledger),
            persistence,
            permits,
            how=delivering(settings, incarnation),
        )
        senders = Senders(permits, pulse.working(submitter.work), least=threads)
        courier = Courier(ledger, permits, incarnation, senders.fill)
        courier.start()
        stack.callback(courier.stop)
        broker = StreamsBroker(client, codecs=CODECS, recorded_elsewhere=(keys.REQUESTS,))
        stack.callback(broker.close)
        declare_accept(broker, ledger, settings, persistence, submitter, pulse)
        dramatiq.actor(broker=broker, queue_name=keys.WAKEUPS, actor_name=SUBMIT, priority=10)(
            senders.wake
        )
        sweeper = Sweeper(
            ledger,
            settings.request_timeout + MARGIN,
            settings.dedupe_window,
            accounts=settings.accounts,
        )
        sweeper.start()
        stack.callback(sweeper.stop)
        reconciler = Reconciler(
            Prover(ledger, pulse.asking(unpod.get), proving(settings)), incarnation
        )
        reconciler.start()
        stack.callback(reconciler.stop, timeout=settings.request_timeout + MARGIN)
        worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=IDLE_LOOK_MS)
        worker.start()
        tell(events.Ready(incarnation=incarnation, process=os.getpid()))
        ready()
        if report is not None:
            reporter = Reporter(partial(pulse.take, sweeper, unpod, permits), report)
            reporter.start()
            stack.callback(reporter.stop)
        stop.wait()
        worker.stop(timeout=int((2 * settings.request_timeout + MARGIN) * 1000))
        senders.join(longest_stop(settings.request_timeout))


def _create(
    unpod: api.UnpodApi, account: str, space_token: str, content: bytes, before: float
) -> Answer:
    return unpod.create(account, space_token, content, send_before=before)


def _read(unpod: api.UnpodApi, account: str, space_token: str) -> Answer:
    """The newest run of a space: the least that shows whether the API answers."""
    return unpod.get(account, ("spaces", space_token, "runs"), {"page": 1, "page_size": 1})


def delivering(settings: Settings, incarnation: str) -> Delivering:
    """How the settings want batches to be sent; raises `CallspoolError` without an account."""
    if not settings.accounts:
        raise CallspoolError(
            "no account is configured: set CALLSPOOL_API_TOKEN and CALLSPOOL_ORG_HANDLE"
        )
    return Delivering(
        request_timeout=settings.request_timeout,
        max_attempts=settings.max_attempts,
        incarnation=incarnation,
    )


def permits_of(settings: Settings, incarnation: str) -> Permits:
    """The permits of this process, with the limits that the settings set."""
    accounts = settings.accounts.values()
    return Permits(
        {account.name: account.max_rate or 0.0 for account in accounts},
        {account.name: account.max_in_flight for account in accounts if account.max_in_flight},
        holder=incarnation,
        clock=api.now,
    )


def proving(settings: Settings) -> Proving:
    """How the settings want doubts to be settled."""
    return Proving(
        accounts=tuple(settings.accounts),
        quiet=settings.proof_quiet,
        quiet_answered=settings.proof_quiet_answered,
        max_attempts=settings.max_attempts,
        resend_unproven=settings.on_doubt == "resend",
        dedupe_window=settings.dedupe_window,
    )


def declare_accept(
    broker: StreamsBroker,
    ledger: Ledger,
    settings: Settings,
    persistence: Persistence,
    submitter: Submitter,
    pulse: Pulse,
) -> None:
    """Declares the actor that accepts call requests. Until the ledger has them, it goes on.

    While Redis is full every thread may be in here; then they send, which makes room.
    """
    rules = Rules(settings.region, settings.send_e164, settings.context)
    reader = Reader(rules, ledger.limits)

    def accept(entry_id: str, envelope: Envelope) -> None:
        delivery = reader.read(entry_id, envelope)
        try:
            (accepted,) = persistence.until_answered(
                lambda: ledger.accept([delivery]), when_full=submitter.run
            )
        except GivenUp as reason:
            tell(events.Left(message_id=entry_id, why=str(reason)))
            return
        broker.mark_recorded(keys.REQUESTS, entry_id)
        pulse.accepted()
        for event in told(delivery, accepted):
            tell(event)

    dramatiq.actor(broker=broker, queue_name=keys.REQUESTS, actor_name=ACCEPT, priority=0)(
        pulse.working(accept)
    )
