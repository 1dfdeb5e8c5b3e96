"""Celery with celery-batches over Redis."""

from __future__ import annotations

import base64
import importlib
import re
import sys
from typing import TYPE_CHECKING

import msgspec

from benchmarks.duel.contestant import WORKERS, Place
from benchmarks.duel.rivals.checks import CheckedProducer
from benchmarks.duel.rivals.environment import rival_environment
from benchmarks.duel.verdict import Records

if TYPE_CHECKING:
    import redis

    from benchmarks.duel.roll import Document, Roll

QUEUE, UNACKED = "celery", "unacked"
CONTACT = re.compile(r"duel-\d+")


class CeleryRival(CheckedProducer):
    """A task for each contact; the worker gathers a hundred, and retries each by itself."""

    def __init__(self, name: str, note: str, *, concurrency: int) -> None:
        self.name = name
        self.note = note
        self._concurrency = concurrency

    def environment(self, place: Place) -> dict[str, str]:
        return rival_environment(place)

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
