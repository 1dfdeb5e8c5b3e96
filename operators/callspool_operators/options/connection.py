"""Connections to the ledger for commands that look at it."""

import importlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import click
import redis

from callspool.errors import CallspoolError, QueueUnavailable
from callspool.redis_io.errors import TRANSPORT_ERRORS, Fault, classify, describe
from callspool.redis_io.servers import RedisEndpoint
from callspool.request.identity import partition_of
from callspool.settings import Settings, load_settings
from callspool_ledger.reads.reader import LedgerReader, connect_partitions, locate_partition
from callspool_ledger.reads.summary import read_partitions
from callspool_operators.terminal.wording import state_dir_flag

TIMEOUT = 5.0
"""Seconds for each step of a command of Redis."""

LOOK_TIMEOUT = 2.0
"""The same for a look that the command can do without."""

if TYPE_CHECKING:
    from callspool.request.call_request import CheckedEnvelope

_LOCAL = "callspool_operators.local"


@contextmanager
def ledger_clients(
    redis_url: str | None, state_dir: str | None, *, may_begin: bool = False
) -> Iterator[list[redis.Redis]]:
    """A client of the Redis that holds each partition of the ledger, in their order.

    Either the one of a `callspool run` in ``state_dir``, or ``redis_url``, or the setting's. How
    many partitions there are, the ledger tells. Raises `SettingsError`, `QueueUnavailable`, or
    `CallspoolError` for a directory without ledger, unless it ``may_begin`` one.
    """
    if redis_url and state_dir:
        raise click.UsageError("--redis and --state-dir name two ledgers: give one of them")
    with ExitStack() as stack:
        try:
            url = stack.enter_context(_url_of(redis_url, state_dir, may_begin))
            clients = stack.enter_context(_clients(url, TIMEOUT))
        except QueueUnavailable as fault:
            if redis_url or state_dir or not (hint := hint_at_runs()):
                raise
            raise QueueUnavailable(f"{fault}; {hint}") from fault
        yield clients


def hint_at_runs() -> str:
    """Where `callspool run` keeps its ledger, with the flag that leads to it; "" if nowhere."""
    try:
        local: Any = importlib.import_module(_LOCAL)
    except ModuleNotFoundError:
        return ""
    place = local.find_ledger_of_runs()
    if place is None:
        return ""
    return f"the ledger of callspool run is reached with{state_dir_flag(str(place))}"


@contextmanager
def ledger_reader(redis_url: str | None, state_dir: str | None) -> Iterator[LedgerReader]:
    """What the ledger says, all of its partitions; arguments and errors as of `ledger_clients`."""
    with ledger_clients(redis_url, state_dir) as clients:
        yield LedgerReader(*clients)


@contextmanager
def ledger_for_a_look(
    redis_url: str | None, state_dir: str | None = None
) -> Iterator[LedgerReader | None]:
    """The ledger if it is there and answers soon, else None; arguments as of `ledger_clients`."""
    with ExitStack() as stack:
        reader = None
        with suppress(CallspoolError):
            url = stack.enter_context(_url_of(redis_url, state_dir))
            reader = LedgerReader(*stack.enter_context(_clients(url, LOOK_TIMEOUT)))
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
def _answering(server: RedisEndpoint) -> Iterator[redis.Redis]:
    with server.client() as client:
        try:
            client.ping()
        except TRANSPORT_ERRORS as fault:
            # A PING is refused with all writes, which is when operators look: it answers.
            if classify(fault) is not Fault.UNSAVED:
                raise QueueUnavailable(describe(fault, str(server))) from fault
        yield client


@contextmanager
def _clients(url: str, timeout: float) -> Iterator[list[redis.Redis]]:
    """A client for each partition: the same for all but in a cluster."""
    server = locate_partition(url, timeout)
    with ExitStack() as stack:
        first = stack.enter_context(_answering(server))
        # Where nobody was before, whoever comes first decides.
        partitions = (
            LedgerReader(first).ask(read_partitions()) or load_settings(os.environ).partitions
        )
        clients = [first] if partitions == 1 else connect_partitions(server, partitions)
        for client in clients[len(clients) == 1 :]:
            stack.callback(client.close)
        yield clients


def _url_of(
    redis_url: str | None, state_dir: str | None, may_begin: bool = False
) -> AbstractContextManager[str]:
    if state_dir is not None:
        return _local_ledger(state_dir, may_begin)
    settings = load_settings(os.environ, overrides={"redis_url": redis_url})
    return nullcontext(settings.redis_url)


def _local_ledger(state_dir: str, may_begin: bool) -> AbstractContextManager[str]:
    """The embedded server of a run; it comes with the worker's packages."""
    try:
        local: Any = importlib.import_module(_LOCAL)
    except ModuleNotFoundError as fault:
        if (fault.name or "").startswith("callspool"):
            raise
        raise click.UsageError(
            "--state-dir needs the worker's packages: pip install './callspool[worker]'"
        ) from None
    opened: AbstractContextManager[str] = local.open_ledger(state_dir, may_begin=may_begin)
    return opened
