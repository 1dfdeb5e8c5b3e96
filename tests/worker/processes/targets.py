"""What runs in a child in place of the worker. Each notes what it was given."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import redis

from callspool.errors import CallspoolError, QueueUnavailable
from callspool.settings import Settings

Ready = Callable[[], None]


def note(**what: object) -> None:
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps(what) + "\n")


def work(
    settings: Settings, *, threads: int, incarnation: str, stop: threading.Event, ready: Ready
) -> None:
    note(pid=os.getpid(), threads=threads, incarnation=incarnation, batch_size=settings.batch_size)
    sys.stdout.write("what a library prints\n")
    ready()
    stop.wait()
    note(finished=os.getpid())


def told_in_another_thread(
    settings: Settings, *, threads: int, incarnation: str, stop: threading.Event, ready: Ready
) -> None:
    def tell() -> None:
        time.sleep(0.1)  # the main thread waits by then, and nothing else wakes it
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        time.sleep(60)

    note(pid=os.getpid())
    ready()
    threading.Thread(target=tell, daemon=True).start()
    stop.wait()
    note(finished=os.getpid())


def hang(
    settings: Settings, *, threads: int, incarnation: str, stop: threading.Event, ready: Ready
) -> None:
    note(pid=os.getpid())
    ready()
    stop.wait()
    time.sleep(60)


def unreachable(settings: Settings, **_: object) -> None:
    raise QueueUnavailable("Redis does not answer; check CALLSPOOL_REDIS_URL")


def away(settings: Settings, **_: object) -> None:
    raise QueueUnavailable("Redis does not answer") from redis.ConnectionError("refused")


def away_in_the_words_of_redis(settings: Settings, **_: object) -> None:
    raise redis.ConnectionError("refused")


def misconfigured(settings: Settings, **_: object) -> None:
    raise CallspoolError("no account is configured")


def fails_later(
    settings: Settings, *, threads: int, incarnation: str, stop: threading.Event, ready: Ready
) -> None:
    note(pid=os.getpid())
    ready()
    raise QueueUnavailable("Redis went away")
