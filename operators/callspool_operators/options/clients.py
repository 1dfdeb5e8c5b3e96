"""Clients of redis-py for commands that change the ledger, or send."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import redis

from callspool.errors import CallspoolError
from callspool.redis_io.servers import RedisEndpoint
from callspool.request.identity import partition_of
from callspool.settings import Settings
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.servers import connect_partitions, locate_partition
from callspool_operators.options.connection import (
    TIMEOUT,
    check_answer,
    count_partitions,
    open_ledger,
    url_of,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from callspool.request.call_request import CheckedEnvelope

LOOK_TIMEOUT = 2.0
"""Seconds for each step of a look that the command can do without."""


def ledger_clients(
    redis_url: str | None, state_dir: str | None, *, may_begin: bool = False
) -> "AbstractContextManager[list[redis.Redis]]":
    """A client of the Redis that holds each partition of the ledger, in their order.

    How many there are, the ledger tells. Arguments and errors as of `open_ledger`.
    """
    return open_ledger(redis_url, state_dir, connect_clients, may_begin=may_begin)


@contextmanager
def ledger_for_a_look(
    redis_url: str | None, state_dir: str | None = None
) -> Iterator[LedgerReader | None]:
    """The ledger if it is there and answers soon, else None; arguments as of `open_ledger`."""
    with ExitStack() as stack:
        reader = None
        with suppress(CallspoolError):
            url = stack.enter_context(url_of(redis_url, state_dir))
            reader = LedgerReader(*stack.enter_context(connect_clients(url, LOOK_TIMEOUT)))
        yield reader


@contextmanager
def client_that_answers(url: str, timeout: float = TIMEOUT) -> Iterator[redis.Redis]:
    """A client of a Redis that has answered once; raises `QueueUnavailable` with the remedy."""
    with _answering(locate_partition(url, timeout)) as client:
        yield client


@contextmanager
def reader_for(settings: Settings, envelope: "CheckedEnvelope") -> Iterator[LedgerReader]:
    """What the partition says that keeps the envelope's space; it has answered once.

    Raises `QueueUnavailable`.
    """
    partition = partition_of(envelope.account, envelope.space_token, settings.partitions)
    with _answering(locate_partition(settings.redis_url, TIMEOUT, partition)) as client:
        yield LedgerReader(client, partition=partition)


@contextmanager
def connect_clients(url: str, timeout: float) -> Iterator[list[redis.Redis]]:
    """A client for each partition: the same for all but in a cluster."""
    server = locate_partition(url, timeout)
    with ExitStack() as stack:
        first = stack.enter_context(_answering(server))
        partitions = count_partitions(first)
        clients = [first] if partitions == 1 else connect_partitions(server, partitions)
        for client in clients[len(clients) == 1 :]:
            stack.callback(client.close)
        yield clients


@contextmanager
def _answering(server: RedisEndpoint) -> Iterator[redis.Redis]:
    with server.client() as client:
        check_answer(client, str(server))
        yield client
