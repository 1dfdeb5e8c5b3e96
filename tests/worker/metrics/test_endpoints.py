"""The metrics of endpoints: POSTs and events by outcome, and for how long one has rested."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from callspool_ledger.webhooks import read_endpoints
from callspool_worker.api.endpoint import PostAnswer
from callspool_worker.metrics.exporter import endpoint_families
from tests.worker.webhooks.played_endpoint import HOUR, TAKEN, PlayedEndpoint


def test_an_endpoint_counts_its_posts_and_events_and_how_long_it_rests(
    client: redis.Redis, tmp_path: Path
) -> None:
    played = PlayedEndpoint(client, tmp_path)

    def samples() -> dict[tuple[str, str], float]:
        found = played.ledger.read(read_endpoints())
        return {
            (sample.name, sample.labels.get("outcome", "")): sample.value
            for family in endpoint_families(found)
            for sample in family.samples
            if sample.labels["endpoint"] == "crm"
        }

    played.happen("a", "b", "c")
    played.answer = lambda ids: PostAnswer(400) if "b" in ids else TAKEN
    played.run()
    posts, events = "callspool_webhook_deliveries_total", "callspool_webhook_events_total"
    found = samples()
    assert (found[events, "delivered"], found[events, "set_aside"]) == (2, 1)
    assert (found[posts, "delivered"], found[posts, "refused"]) == (2, 6)
    assert found["callspool_webhook_resting_seconds", ""] == 0
    played.shift_ms = -HOUR  # an hour ago it went away
    played.happen("d")
    played.answer = lambda _: PostAnswer(503)
    played.delivery.step()
    assert samples()["callspool_webhook_resting_seconds", ""] == pytest.approx(3600, abs=60)
    assert samples()[posts, "failed"] == 1


def test_without_endpoints_there_is_nothing(client: redis.Redis) -> None:
    assert list(endpoint_families([])) == []
