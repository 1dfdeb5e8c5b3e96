"""What `doctor` says of dead documents is what `callspool dead list` lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from callspool_ledger.writes import LedgerUnavailable
from tests.operators.conftest import Call, call
from tests.support.ledgers import LedgerUnderTest, calls, group

if TYPE_CHECKING:
    import redis

__all__ = ["call"]


def test_doctor_says_nothing_of_dead_documents_that_were_given_up(
    call: Call, client: redis.Redis, redis_url: str
) -> None:
    spool = LedgerUnderTest(client, batch_size=1, linger_ms=0)
    for document_id in ("bad", "worse"):
        spool.accept(group([document_id]))
        taken = spool.ledger.take("me:1", ["default"])
        assert taken is not None
        bury = calls.bury(taken, outcome="rejected", code="400", detail="no number")
        spool.ledger.run([bury])

    def said() -> list[str]:
        found = json.loads(call("doctor", "--json", "--redis", redis_url).out)["findings"]
        return [each["said"] for each in found if each["check"] == "dead"]

    assert said() == ["2 documents cannot be sent"]
    dropping = ("dead", "drop", "--yes", "--redis", redis_url)
    assert call(*dropping, "--document-id", "bad").code == 0
    assert said() == ["1 document cannot be sent"]
    assert call(*dropping, "--all").code == 0
    assert said() == []


def test_a_primary_without_its_replicas_is_told_with_the_command_that_goes_on(
    call: Call, client: redis.Redis, redis_url: str
) -> None:
    spool = LedgerUnderTest(client, linger_ms=0)
    spool.accept(group(["crm-1"]))
    client.hset(spool.ledger.keys.meta, mapping={"replica_at": 1, "alone": 100})

    def remedies() -> list[str]:
        found = json.loads(call("doctor", "--json", "--redis", redis_url).out)["findings"]
        return [each["remedy"] for each in found if each["check"] == "role" and each["remedy"]]

    with pytest.raises(LedgerUnavailable):
        spool.ledger.take("me:1", ["default"])
    (remedy,) = remedies()
    assert remedy.endswith("callspool resume --all --without-replicas")
    goes_on = "resume", "--without-replicas", "--redis", redis_url
    assert call(*goes_on, "--account", "default").code == 2
    assert call(*goes_on, "--all").code == 0
    assert remedies() == []
    assert spool.ledger.take("me:1", ["default"]) is not None
