"""The rivals as the duel starts and asks them: what a careful team checks, celery, dramatiq."""

from __future__ import annotations

import base64
import importlib
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import dramatiq
import msgspec
import redis
from dramatiq.brokers.redis import RedisBroker

from benchmarks.duel.rivals.posting import API_URL, REDIS_URL
from benchmarks.duel.roll import Roll, chunks
from benchmarks.duel.rules import CAP
from benchmarks.duel.stage import WORKERS, Place
from benchmarks.duel.verdict import Records

if TYPE_CHECKING:
    from benchmarks.duel.roll import Document
    from benchmarks.duel.rules import RuledLists
    from benchmarks.duel.stage import Contestant

ROOT = Path(__file__).parents[3]

SUPPRESSED, CALLS = "duel:suppressed", "duel:calls:"
DAY = 24 * 60 * 60


class CheckedProducer:
    """Enqueues whom no rule forbids at that moment; a call is counted as it is enqueued."""

    def environment(self, place: Place) -> dict[str, str]:
        """Returns the two addresses, and the way to the rivals' code."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            API_URL: place.api_url,
            REDIS_URL: place.redis_url,
        }

    def enqueue_ruled(self: Contestant, place: Place, lists: RuledLists, end: float) -> None:
        with redis.Redis.from_url(place.redis_url) as client:
            evening = lists.evening if time.time() < end else []
            wanted = (*lists.suppressed, *evening, *lists.others, *lists.second)
            allowed = [one for one in wanted if _may_be_called(client, one)]
        self.enqueue(place, Roll(allowed, [], frozenset()))

    def suppress(self, place: Place, documents: list[Document]) -> None:
        with redis.Redis.from_url(place.redis_url) as client:
            client.sadd(SUPPRESSED, *(one["contact_number"] for one in documents))


def _may_be_called(client: redis.Redis, document: Document) -> bool:
    number = document["contact_number"]
    if client.sismember(SUPPRESSED, number):
        return False
    client.set(CALLS + number, 0, ex=DAY, nx=True)
    return int(client.incr(CALLS + number)) <= CAP


QUEUE, UNACKED = "celery", "unacked"
CONTACT = re.compile(r"duel-\d+")


class CeleryRival(CheckedProducer):
    """A task for each contact; the worker gathers a hundred, and retries each by itself."""

    def __init__(self, name: str, note: str, *, concurrency: int) -> None:
        self.name = name
        self.note = note
        self._concurrency = concurrency

    def commands(self) -> list[list[str]]:
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.duel.rivals.celery_app"]
        command += ["worker", "--concurrency", str(self._concurrency), "--loglevel", "WARNING"]
        return [[*command, "--hostname", f"duel{number}@%h"] for number in range(WORKERS)]

    def enqueue(self, place: Place, roll: Roll) -> None:
        # Installed by `make duel` alone.
        celery = importlib.import_module("celery")
        app = celery.Celery("duel", broker=place.redis_url)
        with app.producer_pool.acquire(block=True) as producer:
            for document in (*roll.documents, *roll.repeated):
                app.send_task("call", args=[document], producer=producer, ignore_result=True)
        app.close()

    def standing(self, client: redis.Redis) -> tuple[int, int]:
        return int(client.llen(QUEUE)) + int(client.hlen(UNACKED)), 0

    def records(self, client: redis.Redis, _roll: Roll) -> Records:
        waiting = [msgspec.json.decode(raw) for raw in client.lrange(QUEUE, 0, -1)]
        held = [msgspec.json.decode(raw)[0] for raw in client.hvals(UNACKED)]
        failures = [client.get(key) or b"" for key in client.scan_iter("celery-task-meta-*")]
        return Records(
            open=frozenset(_contact(message)["document_id"] for message in waiting + held),
            given_up=frozenset(
                identity for raw in failures for identity in CONTACT.findall(raw.decode())
            ),
        )


def _contact(message: dict[str, str]) -> Document:
    args, *_ = msgspec.json.decode(base64.b64decode(message["body"]))
    document: Document = args[0]
    return document


OPEN = ("dramatiq:default.msgs", "dramatiq:default.DQ.msgs")
DEAD = "dramatiq:default.XQ.msgs"


class DramatiqRival(CheckedProducer):
    """``size`` contacts a message; ``threads`` requests in flight at most, in each worker."""

    def __init__(self, name: str, note: str, *, size: int, threads: int) -> None:
        self.name = name
        self.note = note
        self._size = size
        self._threads = threads

    def commands(self) -> list[list[str]]:
        command = [sys.executable, "-m", "dramatiq", "benchmarks.duel.rivals.dramatiq_app"]
        return [[*command, "--processes", "1", "--threads", str(self._threads)]] * WORKERS

    def enqueue(self, place: Place, roll: Roll) -> None:
        broker = RedisBroker(url=place.redis_url)
        for documents in (roll.documents, roll.repeated):
            for chunk in chunks(documents, self._size):
                broker.enqueue(
                    dramatiq.Message(
                        queue_name="default",
                        actor_name="call",
                        args=(chunk,),
                        kwargs={},
                        options={},
                    )
                )
        broker.client.close()

    def standing(self, client: redis.Redis) -> tuple[int, int]:
        return sum(int(client.hlen(key)) for key in OPEN), 0

    def records(self, client: redis.Redis, _roll: Roll) -> Records:
        return Records(
            open=frozenset().union(*(_contacts(client, key) for key in OPEN)),
            given_up=_contacts(client, DEAD),
        )


def _contacts(client: redis.Redis, key: str) -> frozenset[str]:
    messages = [msgspec.json.decode(raw) for raw in client.hvals(key)]
    return frozenset(
        document["document_id"] for message in messages for document in message["args"][0]
    )
