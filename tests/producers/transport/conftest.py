"""Fixtures of the broker's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from callspool.transport import StreamsBroker

MakeBroker = Callable[..., StreamsBroker]


@pytest.fixture
def make_broker(redis_url: str) -> Iterator[MakeBroker]:
    """Makes brokers that are closed at the end; `url` says of which server."""
    brokers: list[StreamsBroker] = []

    def make(url: str = redis_url, *, partitions: int = 1, **options: Any) -> StreamsBroker:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            brokers.append(StreamsBroker([client] * partitions, **options))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.close()


@pytest.fixture
def broker(make_broker: MakeBroker) -> StreamsBroker:
    """A broker of the empty server, as it is by default."""
    return make_broker()
