"""What `doctor` says of dead documents is what `callspool dead list` lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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
