"""Dramatiq with its Redis broker: a message holds one contact, or a hundred."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import dramatiq
import msgspec
from dramatiq.brokers.redis import RedisBroker

from benchmarks.duel.contestant import WORKERS, Place
from benchmarks.duel.rivals.checks import CheckedProducer
from benchmarks.duel.rivals.environment import rival_environment
from benchmarks.duel.roll import Roll, chunks
from benchmarks.duel.verdict import Records

if TYPE_CHECKING:
    import redis

OPEN = ("dramatiq:default.msgs", "dramatiq:default.DQ.msgs")
DEAD = "dramatiq:default.XQ.msgs"


class DramatiqRival(CheckedProducer):
    """``size`` contacts a message; ``threads`` requests in flight at most, in each worker."""

    def __init__(self, name: str, note: str, *, size: int, threads: int) -> None:
        self.name = name
        self.note = note
        self._size = size
        self._threads = threads

    def environment(self, place: Place) -> dict[str, str]:
        return rival_environment(place)

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
