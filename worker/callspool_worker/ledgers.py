"""The ledgers that a worker process opens, and whether all workers are set alike."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import msgspec
import redis

from callspool.errors import QueueUnavailable
from callspool.redis_io.servers import server_of
from callspool.settings.urls import names_nodes
from callspool_ledger.errors import is_away
from callspool_ledger.reads.servers import connect_partitions, locate_partition
from callspool_ledger.writes import Ledger, LedgerUnavailable, Limits
from callspool_worker import events
from callspool_worker.backoff import FIRST_PROBE, LAST_PROBE
from callspool_worker.decisions.leases import MARGIN
from callspool_worker.events.event import emit
from callspool_worker.sending import body

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.settings import Settings
    from callspool_ledger.writes.records import Durability, ExpiredDocuments

REDIS_TIMEOUT = 10.0
"""Seconds until a command counts as unanswered."""

FIELD = "settings"
"""Of the hash ``P:meta``: what the worker that started last has, as JSON; no secret is in it."""

_WHY = {
    "CALLSPOOL_DEDUPE_WINDOW": "the shortest one decides when somebody may be called again",
    "CALLSPOOL_ON_DOUBT": "what one worker holds another one sends again",
    "CALLSPOOL_MARK_ATTEMPTS": "what one worker sends another one cannot prove by its mark",
    "CALLSPOOL_MAX_ATTEMPTS": "the lowest one decides when a document is dead",
}


def connect(url: str) -> redis.Redis:
    """A client of the first partition. It repeats nothing by itself: the ledger knows what may."""
    if names_nodes(url):
        return locate_partition(url, REDIS_TIMEOUT).client()
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT / 2,
        retry=None,
        client_name="callspool-worker",
    )


def connect_all(settings: Settings) -> list[redis.Redis]:
    """Returns a client for each partition: the same for all but in a cluster."""
    if not names_nodes(settings.redis_url):
        return [connect(settings.redis_url)] * settings.partitions
    server = server_of(settings.redis_url, REDIS_TIMEOUT)
    return connect_partitions(server, settings.partitions)


def limits_of(settings: Settings) -> Limits:
    """Returns the ledger's limits as the settings have them."""
    return Limits(
        batch_size=settings.batch_size,
        batch_bytes=settings.batch_bytes,
        linger_ms=int(settings.linger * 1000),
        bytes_a_document=body.BYTES_A_DOCUMENT,
        mark_attempts=settings.mark_attempts,
        durable_takes=cast("Durability", settings.durable_takes),
        lease_ms=int((settings.request_timeout + MARGIN) * 1000),
        quiet_ms=int(settings.proof_quiet * 1000),
        quiet_answered_ms=int(settings.proof_quiet_answered * 1000),
        first_probe_ms=int(FIRST_PROBE * 1000),
        last_probe_ms=int(LAST_PROBE * 1000),
        feed=("calls" if settings.follow else "settled") if settings.events else "off",
        events_keep_ms=int(settings.events_keep * 1000),
        events_max_bytes=settings.events_max_bytes // settings.partitions,
    )


def ledger_of(settings: Settings, client: redis.Redis, partition: int = 0) -> Ledger:
    """Returns the ledger of a partition under these settings; nothing of it is read or written."""
    return Ledger(
        client,
        limits_of(settings),
        partition,
        settings.partitions,
        on_expired=log_expired,
        on_replaced=lambda: emit(events.LedgerReplaced(partition=partition)),
    )


def log_expired(expired: ExpiredDocuments) -> None:
    """Logs documents that expired before they were sent."""
    emit(events.Expired(**expired._asdict()))


def open_ledger(settings: Settings, client: redis.Redis, partition: int = 0) -> Ledger:
    """Returns the ledger of a partition, begun if there is none.

    Raises `QueueUnavailable` if Redis does not answer and `LedgerMismatch` if the ledger follows
    other rules.
    """
    ledger = ledger_of(settings, client, partition)
    try:
        ledger.open()
        ledger.check_durability()
    except LedgerUnavailable as error:
        remedy = "; check CALLSPOOL_REDIS_URL" if is_away(error) else ""
        raise QueueUnavailable(f"{error}{remedy}") from error
    return ledger


def open_ledgers(settings: Settings, clients: Sequence[redis.Redis]) -> list[Ledger]:
    """Returns the ledgers of all partitions, the first one first: it knows how many there are.

    Raises as `open_ledger`.
    """
    return [open_ledger(settings, client, at) for at, client in enumerate(clients)]


def leave(ledgers: Sequence[Ledger]) -> None:
    """Reports to Redis that this process takes nothing any more; passes over a missing answer."""
    for ledger in ledgers:
        with suppress(LedgerUnavailable):
            ledger.leave()


def find_disagreements(ledger: Ledger, settings: Settings) -> list[str]:
    """Returns how these settings differ from those of the worker that started before, a line each.

    Nothing where no other worker lives: then settings were changed in order.
    """
    mine = _to_agree_on(settings)
    found, others = ledger.run_commands(
        [("HGET", ledger.keys.meta, FIELD), ("HLEN", ledger.keys.roster)]
    )
    ledger.run_commands([("HSET", ledger.keys.meta, FIELD, msgspec.json.encode(mine))])
    if not isinstance(found, bytes) or not others:
        return []
    theirs = msgspec.json.decode(found, type=dict[str, str])
    return [
        _describe(name, value, theirs[name])
        for name, value in mine.items()
        if theirs.get(name, value) != value
    ]


def _describe(name: str, mine: str, theirs: str) -> str:
    if name not in _WHY:
        return (
            f"{name} has another URL or org handle here than at a worker that runs: what one sends"
            " the other does not find when it reads back, and may send again; give all the same"
        )
    return f"{name} is {mine} here and {theirs} at a worker that runs: {_WHY[name]}; set one value"


def _to_agree_on(settings: Settings) -> Mapping[str, str]:
    values = (
        str(settings.dedupe_window),
        settings.on_doubt,
        str(settings.mark_attempts).lower(),
        str(settings.max_attempts),
    )
    accounts = {
        f"account {name}": hashlib.blake2b(
            f"{account.api_url}\0{account.org_handle}".encode(), digest_size=8
        ).hexdigest()
        for name, account in settings.accounts.items()
    }
    return dict(zip(_WHY, values, strict=True)) | accounts
