"""The composition root: one worker process, from its settings to its threads."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

import dramatiq

from callspool.errors import CallspoolError
from callspool.transport import MOST_TOGETHER, StreamsBroker
from callspool_ledger import keys
from callspool_ledger.guard import Guard
from callspool_ledger.writes import Ledger, account_ledgers
from callspool_worker import api, events
from callspool_worker.accepting.actor import ACCEPT, CODECS, SUBMIT, Accepter
from callspool_worker.decisions.call_outcome import read_outcomes
from callspool_worker.decisions.leases import MARGIN, longest_stop
from callspool_worker.events.event import emit
from callspool_worker.following.follower import FollowingThread, build_followers
from callspool_worker.following.frontier import FollowTimes
from callspool_worker.following.read_turns import FollowSettings
from callspool_worker.hours.keeper import start_keeper
from callspool_worker.ledgers import connect_all, find_disagreements, leave, open_ledgers
from callspool_worker.liveness import Heartbeat, Reporter
from callspool_worker.permits import MOST_SENDERS, PermitClient, Permits
from callspool_worker.proving import LOOKERS, ProofSettings, Reconciler, SpaceProver
from callspool_worker.sending.partition_scheduler import build_senders
from callspool_worker.sending.submit import Api, SubmitSettings
from callspool_worker.sweeping import Sweepers
from callspool_worker.webhooks.delivery import start_delivery

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from callspool.settings import Settings
    from callspool_worker.accepting.message_reader import ClassifierOf
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.sending.partition_scheduler import SenderPool

IDLE_LOOK_MS, IDLE_LOOK_OF_SEVERAL_MS = 200, 1000
"""Milliseconds that an idle consumer waits in Redis before it looks whether it shall stop; the
latter for each of several partitions."""

PACE, SHORTEST_PACE = 0.03, 0.01
"""Seconds between two reads of messages that come soon after each other, the latter where
CALLSPOOL_LINGER is 0: the more come together, the less each costs."""

ACCEPTERS = 2
"""Threads that accept, at most: more of them wait for one another."""

ACCEPTERS_OF_SEVERAL = 4
"""The same with several partitions, of which one may be away."""


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
    pulse = Heartbeat(_accepters(threads, settings.partitions))
    with ExitStack() as stack:
        clients = connect_all(settings)
        for client in clients:
            stack.callback(client.close)
        ledgers = open_ledgers(settings, clients)
        stack.callback(leave, ledgers)
        weaknesses = [each for one in ledgers for each in one.weaknesses()]
        for why in dict.fromkeys([*weaknesses, *find_disagreements(ledgers[0], settings)]):
            emit(events.Weakness(why=why))
        unpod = stack.enter_context(
            closing(
                api.UnpodApi(
                    settings.accounts,
                    request_timeout=settings.request_timeout,
                    max_connections=MOST_SENDERS + threads + LOOKERS + 1,
                )
            )
        )
        broker = StreamsBroker(
            clients,
            codecs=CODECS,
            recorded_elsewhere=(keys.REQUESTS,),
            prefetch=_prefetch(threads, len(clients)),
            pace=_pace(settings.linger),
        )
        stack.callback(broker.close)
        asked = Api(pulse.asking(partial(_create, unpod)), pulse.asking(unpod.get), api.now)
        lease = settings.request_timeout + MARGIN
        guard = Guard(ledgers[0], settings.rules.region)
        sweepers = Sweepers(
            ledgers, lease, settings.dedupe_window, accounts=settings.accounts, guard=guard
        )
        permits, how = permits_of(settings, incarnation), submit_settings_of(settings, incarnation)
        sending = build_senders(
            ledgers, asked, permits, how, stop, pulse, sweepers.nudge, threads, guard
        )
        homes = account_ledgers(ledgers[0], settings.accounts)
        courier = PermitClient(homes, permits, incarnation, sending.senders.fill)
        courier.start()
        stack.callback(courier.stop)
        get = pulse.asking(unpod.get)
        provers = [SpaceProver(ledger, get, proving(settings), guard) for ledger in ledgers]
        reconciler = Reconciler(provers, incarnation)

        def nudge(partition: int) -> None:
            sweepers.nudge(partition)
            reconciler.nudge()

        hours = start_keeper(ledgers, settings.platform, settings.close_early, stack)
        declare_actors(broker, ledgers, settings, sending, pulse, nudge, guard, hours.classifier_of)
        start_delivery(
            ledgers, settings.webhooks, incarnation, stop, stack, settings.request_timeout + MARGIN
        )
        sweepers.start()
        stack.callback(sweepers.stop)
        reconciler.start()
        stack.callback(reconciler.stop, timeout=settings.request_timeout + MARGIN)
        if settings.follow:
            following = follow_calls(settings, ledgers, homes, get, incarnation)
            following.start()
            stack.callback(following.stop, timeout=settings.request_timeout + MARGIN)
        worker = dramatiq.Worker(
            broker,
            worker_threads=_accepters(threads, settings.partitions),
            worker_timeout=IDLE_LOOK_MS if len(ledgers) == 1 else IDLE_LOOK_OF_SEVERAL_MS,
        )
        worker.start()
        emit(events.Ready.of(incarnation, os.getpid(), settings.accounts))
        ready()
        if report is not None:
            reporter = Reporter(partial(pulse.take, sweepers, unpod, permits), report)
            reporter.start()
            stack.callback(reporter.stop)
        stop.wait()
        worker.stop(timeout=int((2 * settings.request_timeout + MARGIN) * 1000))
        sending.senders.join(longest_stop(settings.request_timeout))


def _pace(linger: float) -> float:
    return max(SHORTEST_PACE, min(PACE, linger * PACE))


def _accepters(threads: int, partitions: int) -> int:
    return min(threads, ACCEPTERS if partitions == 1 else ACCEPTERS_OF_SEVERAL)


def _prefetch(threads: int, partitions: int) -> dict[str, int]:
    """Messages in hand of each queue, which are up to half a megabyte each."""
    if partitions == 1:
        return {keys.REQUESTS: max(MOST_TOGETHER, 2 * threads)}  # small ones are accepted together
    return {keys.REQUESTS: max(2, 2 * threads // partitions), keys.WAKEUPS: threads}


def _create(
    unpod: api.UnpodApi,
    account: str,
    space_token: str,
    content: bytes,
    before: float,
    *may_send: Callable[[], bool],
) -> Answer:
    return unpod.create(account, space_token, content, before, *may_send)


def submit_settings_of(settings: Settings, incarnation: str) -> SubmitSettings:
    """Returns how the settings want batches sent; raises `CallspoolError` without an account."""
    if not settings.accounts:
        raise CallspoolError(
            "no account is configured: set CALLSPOOL_API_TOKEN and CALLSPOOL_ORG_HANDLE"
        )
    return SubmitSettings(
        request_timeout=settings.request_timeout,
        max_attempts=settings.max_attempts,
        incarnation=incarnation,
    )


def permits_of(settings: Settings, incarnation: str) -> Permits:
    """Returns the permits of this process, with the limits that the settings set."""
    accounts = settings.accounts.values()
    return Permits(
        {account.name: account.max_rate or 0.0 for account in accounts},
        {account.name: account.max_in_flight for account in accounts if account.max_in_flight},
        holder=incarnation,
        clock=api.now,
    )


def proving(settings: Settings) -> ProofSettings:
    """Returns how the settings want doubts to be settled."""
    return ProofSettings(
        accounts=tuple(settings.accounts),
        quiet=settings.proof_quiet,
        quiet_answered=settings.proof_quiet_answered,
        max_attempts=settings.max_attempts,
        resend_unproven=settings.on_doubt == "resend",
        dedupe_window=settings.dedupe_window,
    )


def follow_calls(
    settings: Settings,
    ledgers: Sequence[Ledger],
    homes: Mapping[str, Ledger],
    get: Callable[[str, tuple[str, ...], Mapping[str, str | int]], Answer],
    incarnation: str,
) -> FollowingThread:
    """Builds the thread that follows calls in all partitions, as the settings want it."""
    how = FollowSettings(
        accounts=tuple(settings.accounts),
        times=FollowTimes(settings.follow_gap, settings.lost_sight_after),
        max_rate=settings.follow_max_rate,
        outcomes=read_outcomes(settings.call_outcomes),
        windows=settings.follow_windows,
    )
    return FollowingThread(
        lambda sleep: build_followers(ledgers, homes, get, how, sleep),
        incarnation,
        settings.follow_gap,
    )


def declare_actors(
    broker: StreamsBroker,
    ledgers: Sequence[Ledger],
    settings: Settings,
    sending: SenderPool,
    pulse: Heartbeat,
    nudge: Callable[[int], None],
    guard: Guard | None = None,
    classify: ClassifierOf = lambda *_: None,
) -> None:
    """Declares the actors that accept call requests and send batches, for all partitions.

    While Redis is full, those that accept wake those that send, which makes room.
    """

    def note_accepted(partition: int, messages: int) -> None:
        pulse.count_accepted(messages)
        nudge(partition)

    accepter = Accepter(
        broker, ledgers, settings.rules, sending.retry, sending.wake, note_accepted, guard, classify
    )
    dramatiq.actor(broker=broker, queue_name=keys.REQUESTS, actor_name=ACCEPT, priority=0)(
        pulse.working(accepter.accept)
    )
    dramatiq.actor(broker=broker, queue_name=keys.WAKEUPS, actor_name=SUBMIT, priority=10)(
        sending.wake
    )
    for ledger in ledgers:
        for queue in (keys.REQUESTS, keys.WAKEUPS):
            broker.declare_queue(keys.queue_name(queue, ledger.partition))
