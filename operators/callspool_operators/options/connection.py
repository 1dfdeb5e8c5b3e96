"""Where the ledger is, and what reads it for commands that look at it: without redis-py."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import click

from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import Fault, classify, describe, transport_errors
from callspool.redis_io.resp import RespClient
from callspool.redis_io.scripts import run
from callspool.settings import load_settings
from callspool.settings.urls import names_nodes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_partitions
from callspool_operators.terminal.wording import state_dir_flag

if TYPE_CHECKING:
    import redis

TIMEOUT = 5.0
"""Seconds for each step of a command of Redis."""

_LOCAL = "callspool_operators.local.ledger"
_STATE = "callspool_operators.local.state"
_SEVERAL_SERVERS = "callspool_operators.options.clients"

Clients = TypeVar("Clients")


@contextmanager
def ledger_reader(redis_url: str | None, state_dir: str | None) -> Iterator[LedgerReader]:
    """What the ledger says, all of its partitions; arguments and errors as of `open_ledger`."""
    with open_ledger(redis_url, state_dir, _connect) as clients:
        yield LedgerReader(*clients)


@contextmanager
def open_ledger(
    redis_url: str | None,
    state_dir: str | None,
    connect: Callable[[str, float], AbstractContextManager[Clients]],
    *,
    may_begin: bool = False,
) -> Iterator[Clients]:
    """The clients that ``connect`` makes of the URL of the ledger's Redis, and a time limit.

    It is that of a `callspool run` in ``state_dir``, or ``redis_url``, or the setting's. Raises
    `SettingsError`, `QueueUnavailable`, or `CallspoolError` for a directory without ledger, unless
    it ``may_begin`` one.
    """
    if redis_url and state_dir:
        raise click.UsageError("--redis and --state-dir name two ledgers: give one of them")
    with ExitStack() as stack:
        try:
            url = stack.enter_context(url_of(redis_url, state_dir, may_begin=may_begin))
            clients = stack.enter_context(connect(url, TIMEOUT))
        except QueueUnavailable as fault:
            if redis_url or state_dir or not (hint := hint_at_runs()):
                raise
            raise QueueUnavailable(f"{fault}; {hint}") from fault
        yield clients


def hint_at_runs() -> str:
    """Says which flag leads to the ledger that `callspool run` keeps; "" if there is none."""
    try:
        state: Any = importlib.import_module(_STATE)
    except ModuleNotFoundError:  # fcntl: not on every system
        return ""
    place = state.find_ledger_of_runs()
    if place is None:
        return ""
    return f"the ledger of callspool run is reached with{state_dir_flag(str(place))}"


def check_answer(client: "redis.Redis | RespClient", where: str) -> None:
    """Raises `QueueUnavailable` with the remedy where Redis does not answer."""
    try:
        [reply] = run(client, [("PING",)])
        if isinstance(reply, Exception):
            raise reply
    except transport_errors() as fault:
        # A PING is refused with all writes, which is when operators look: it answers.
        if classify(fault) is not Fault.UNSAVED:
            raise QueueUnavailable(describe(fault, where)) from fault


def count_partitions(client: "redis.Redis | RespClient") -> int:
    """Returns how many partitions the ledger has; where there is none, the command begins it."""
    return LedgerReader(client).ask(read_partitions()) or load_settings(os.environ).partitions


def url_of(
    redis_url: str | None, state_dir: str | None, *, may_begin: bool = False
) -> AbstractContextManager[str]:
    """The URL of the ledger's Redis; as `open_ledger`."""
    if state_dir is not None:
        return _local_ledger(state_dir, may_begin)
    settings = load_settings(os.environ, overrides={"redis_url": redis_url})
    return nullcontext(settings.redis_url)


@contextmanager
def _connect(url: str, timeout: float) -> Iterator[list["redis.Redis | RespClient"]]:
    if names_nodes(url):
        several: Any = importlib.import_module(_SEVERAL_SERVERS)
        with several.connect_clients(url, timeout) as clients:
            yield clients
        return
    with RespClient(url, timeout) as client:
        check_answer(client, str(client))
        yield [client] * count_partitions(client)


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
