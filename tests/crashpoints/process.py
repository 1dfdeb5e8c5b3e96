"""One worker process, made of the same parts as a real one, whose threads take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import redis

from callspool.redis_io.servers import copy_client
from callspool.settings import Settings
from callspool.transport import StreamsBroker
from callspool.transport.channel import Patience
from callspool.transport.consumer import StreamsConsumer
from callspool.transport.keeper import Keeper
from callspool.transport.stream import ConsumerHeartbeat
from callspool_ledger import keys
from callspool_ledger.guard import Guard
from callspool_ledger.writes import LedgerUnavailable
from callspool_worker import app
from callspool_worker.accepting.actor import CODECS
from callspool_worker.api import now
from callspool_worker.backoff import LedgerRetry
from callspool_worker.ledgers import open_ledger
from callspool_worker.liveness import Heartbeat
from callspool_worker.proving import SpaceProver
from callspool_worker.sending.partition_scheduler import PartitionScheduler, SenderPool
from callspool_worker.sending.recording import Recorder
from callspool_worker.sending.submit import Api, Submitter
from callspool_worker.sweeping import Sweeper, lapse_all
from tests.crashpoints.knife import Knife
from tests.support.unlimited import Unlimited

CLAIM_AFTER = 0.0
"""Seconds after which a dead worker's messages are claimed: it is dead already."""

LEASE = 0.0
"""Seconds: when it looks at leases, a process of one thread has nothing under way."""

Request = Callable[..., Any]


class WorkerProcess:
    """A worker, from its start on. Every I/O step of it goes by the knife.

    ``asks_at_acceptance``: whether the guard is asked then, too.
    ``create`` and ``get`` are the API's. ``dead``: incarnations that its supervisor saw die; of
    others the leases end.
    """

    def __init__(
        self,
        settings: Settings,
        incarnation: str,
        knife: Knife,
        *,
        create: Request,
        get: Request,
        dead: Sequence[str],
        asks_at_acceptance: bool = False,
    ) -> None:
        client = knife.client(settings.redis_url)
        self._ledger = open_ledger(settings, client)
        # A take carries its own lease: here it is over at once.
        self._ledger.limits = replace(self._ledger.limits, lease_ms=int(LEASE * 1000))
        self._knife = knife
        for one in dead:
            lapse_all(self._ledger, "the worker was killed while it held this batch", one)
        retry = LedgerRetry(threading.Event(), give_up_after=settings.request_timeout)

        def watched_get(account: str, path: tuple[str, ...], query: Any) -> Any:
            return knife.request(f"GET {path[-1]}", lambda: get(account, path, query))

        permits = Unlimited(settings.accounts)
        scheduler = PartitionScheduler(permits, lambda _: None)
        submitter = Submitter(
            self._ledger,
            Api(
                lambda *args: knife.request("POST create", lambda: create(*args)),
                watched_get,
                now,
            ),
            Recorder(self._ledger),
            retry,
            scheduler.permits_of(0),
            how=app.submit_settings_of(settings, incarnation),
        )
        self._broker = StreamsBroker(
            client,
            codecs=CODECS,
            recorded_elsewhere=(keys.REQUESTS,),
            patience=Patience(claim_after=CLAIM_AFTER),
        )
        scheduler.add(submitter.work)
        # It sends in the thread that is woken.
        alone = SimpleNamespace(wake=lambda: scheduler.work(permits.reserve()))
        sending = SenderPool(retry, alone, scheduler)
        pulse = Heartbeat(threads=2)
        guard = Guard(self._ledger) if asks_at_acceptance else None
        app.declare_actors(
            self._broker, [self._ledger], settings, sending, pulse, lambda _: None, guard
        )
        pulse = ConsumerHeartbeat(client, key=keys.alive_workers(), consumer=incarnation)
        self._keeper = Keeper(lambda: list(self._broker.queues.values()), 60.0, pulse)
        self._consumers = [
            StreamsConsumer(
                self._broker.queues[queue],
                copy_client(client, timeout=10.0),
                self._keeper,
                prefetch=8,
                timeout=1,
            )
            for queue in (keys.REQUESTS, keys.WAKEUPS)
        ]
        self._sweeper = Sweeper(self._ledger, LEASE, 3600.0, accounts=settings.accounts)
        self._prover = SpaceProver(self._ledger, watched_get, app.proving(settings))
        self._looker = f"{incarnation}:0"

    def round(self) -> None:
        """What all of its threads have to do now, one after the other."""
        for consumer in self._consumers:
            self._consume(consumer)
        with _as_its_thread():
            self._keeper.acknowledge()
        with _as_its_thread():
            self._sweeper._sweep()
            self._sweeper._next_patrol = 0.0
            self._sweeper._patrol()
        with _as_its_thread():
            self._prover.look(self._looker)

    def _consume(self, consumer: StreamsConsumer) -> None:
        """As dramatiq's worker does."""
        while (message := next(consumer)) is not None:
            self._broker.get_actor(message.actor_name)(*message.args, **message.kwargs)
            consumer.ack(message)


def _as_its_thread() -> AbstractContextManager[None]:
    """While Redis is away these threads pause, and go on."""
    return suppress(LedgerUnavailable, redis.ConnectionError, redis.TimeoutError)
