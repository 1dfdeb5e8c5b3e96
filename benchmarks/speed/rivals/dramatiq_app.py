"""What `dramatiq benchmarks.speed.rivals.dramatiq_app` runs: dramatiq as it comes, over Redis."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.speed.rivals.posting import REDIS_URL, post

if TYPE_CHECKING:
    from benchmarks.speed.contacts import Document

dramatiq.set_broker(RedisBroker(url=os.environ[REDIS_URL]))


@dramatiq.actor
def call(documents: list[Document]) -> None:
    post(documents)
