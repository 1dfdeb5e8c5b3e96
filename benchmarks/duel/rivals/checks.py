"""What a careful team checks before it enqueues, where the queue itself knows no such rules."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis

from benchmarks.duel.roll import Roll
from benchmarks.duel.rules import CAP

if TYPE_CHECKING:
    from benchmarks.duel.contestant import Contestant, Place
    from benchmarks.duel.roll import Document
    from benchmarks.duel.rules import RuledLists

SUPPRESSED, CALLS = "duel:suppressed", "duel:calls:"
DAY = 24 * 60 * 60


class CheckedProducer:
    """Enqueues whom no rule forbids at that moment; a call is counted as it is enqueued."""

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
