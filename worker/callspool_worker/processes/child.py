"""`python -m callspool_worker.processes.child`: a worker process, started by the supervisor.

Its stdin carries one line of JSON and then nothing more: the pipe's end says that the parent is
gone. On its stdout it says when it works, or why it cannot. Exit codes: 0 ended in good order,
2 wrong configuration, 3 Redis cannot be used, 75 Redis is away for now.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from callspool.errors import CallspoolError, QueueUnavailable
from callspool.redis_io.errors import comes_from_passing, redis_errors
from callspool.settings import Settings
from callspool_worker.logs import log_to_stderr
from callspool_worker.processes.process_slot import AWAY, FAILED, READY, VITALS

if TYPE_CHECKING:
    from collections.abc import Callable


STDIN, STDOUT = 0, 1


class Orders(msgspec.Struct):
    """What a parent tells its child."""

    settings: msgspec.Raw
    threads: int
    incarnation: str
    stop_timeout: float
    log_level: str = "info"
    log_format: str = "auto"
    vitals: bool = False
    target: str = "callspool_worker.app:run_worker"


def configuration(
    settings: Settings,
    *,
    log_level: str | None = None,
    log_format: str = "auto",
    vitals: bool = False,
) -> bytes:
    """Returns what a supervisor hands to its children (its ``config``). It holds secrets.

    ``log_level``: instead of the settings'. ``log_format``: as `log_to_stderr` takes it.
    ``vitals``: they tell it their vital signs every second.
    """
    orders = {
        "settings": msgspec.Raw(settings.to_json()),
        "threads": settings.threads,
        "log_level": log_level or settings.log_level,
        "log_format": log_format,
        "vitals": vitals,
    }
    return msgspec.json.encode(orders)


def main() -> int:
    """Works until SIGTERM or the parent's end; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = _read_line()
    if not line:
        return 0  # the parent was gone before it said what to do
    orders = msgspec.json.decode(line, type=Orders)
    log_to_stderr(orders.log_level, orders.log_format, orders.incarnation)
    parent = Parent()
    stop = threading.Event()
    _stop_on_signal_or_alone(stop, orders.stop_timeout)
    try:
        _function(orders.target)(
            Settings.from_json(bytes(orders.settings)),
            threads=orders.threads,
            incarnation=orders.incarnation,
            stop=stop,
            ready=parent.ready,
            **({"report": parent.report} if orders.vitals else {}),
        )
    except CallspoolError as error:
        parent.report_failure(str(error))
        if comes_from_passing(error):
            return AWAY
        return 3 if isinstance(error, QueueUnavailable) else 2
    except redis_errors() as error:
        if not comes_from_passing(error):
            parent.tell_why(f"{type(error).__name__}: {error}")
            raise
        parent.report_failure(f"Redis does not answer: {type(error).__name__}")
        return AWAY
    except Exception as error:
        parent.tell_why(f"{type(error).__name__}: {error}")
        raise
    return 0


def _read_line() -> bytes:
    """The first line of stdin; empty when it ended before. Reads byte by byte, nothing beyond."""
    line = bytearray()
    while byte := os.read(STDIN, 1):
        line += byte
        if byte == b"\n":
            return bytes(line)
    return b""


def _function(target: str) -> Callable[..., None]:
    module, _, name = target.partition(":")
    try:
        found: Callable[..., None] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise CallspoolError(
            f"a part of the worker is missing ({error}): pip install './callspool[worker]'"
        ) from error
    return found


def _stop_on_signal_or_alone(stop: threading.Event, limit: float) -> None:
    """Sets the event on SIGTERM and on the end of stdin."""
    hear, tell = os.pipe()
    os.set_blocking(tell, False)
    # The handler does nothing: it would have to wait until the main thread wakes up by itself,
    # where another thread received the signal. The number in the pipe comes at once.
    signal.set_wakeup_fd(tell)
    signal.signal(signal.SIGTERM, lambda *_: None)
    threading.Thread(target=_listen, args=(stop, hear, limit), daemon=True).start()


def _listen(stop: threading.Event, told: int, limit: float) -> None:
    while True:
        readable, _, _ = select.select([STDIN, told], [], [])
        alone = STDIN in readable and not os.read(STDIN, 4096)
        if alone or (told in readable and signal.SIGTERM in os.read(told, 16)):
            stop.set()
        if alone:
            # Nobody is left to end this process if its work does not.
            time.sleep(limit)
            os._exit(1)


class Parent:
    """Who started this process and reads its stdout, if it is still there."""

    def __init__(self) -> None:
        self._knows_it_works = False
        self._telling = threading.Lock()

    def ready(self) -> None:
        self._knows_it_works = True
        self._tell(READY)

    def report(self, vitals: bytes) -> None:
        """Reports the vital signs; waits for as long as they are not read."""
        self._tell(VITALS + vitals)

    def report_failure(self, reason: str) -> None:
        """Before the work began the parent speaks for all children at once; later, this one."""
        if self._knows_it_works:
            sys.stderr.write(f"{reason}\n")
        else:
            self._tell(FAILED + reason.encode())

    def tell_why(self, reason: str) -> None:
        """Tells the parent in one line what a traceback on stderr says in many."""
        if not self._knows_it_works:
            self._tell(FAILED + " ".join(reason.split())[:500].encode())

    def _tell(self, line: bytes) -> None:
        with suppress(BrokenPipeError), self._telling:
            os.write(STDOUT, line + b"\n")


if __name__ == "__main__":
    sys.exit(main())
