from __future__ import annotations

import pytest
import redis

from callspool_ledger.steering import Steering
from tests.support.ledgers import LedgerUnderTest


@pytest.fixture
def spool(client: redis.Redis) -> LedgerUnderTest:
    """A ledger whose batches hold ten documents and do not wait for company."""
    return LedgerUnderTest(client, batch_size=10, linger_ms=0)


@pytest.fixture
def steer(spool: LedgerUnderTest) -> Steering:
    """An operator of that ledger."""
    return Steering([spool.client], "ann@desk")
