"""An endpoint that is played: a real ledger and feed, a client that answers, a given clock."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import redis

from callspool.settings.model import WebhookEndpoint
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.webhooks import EndpointRecord, read_endpoints
from callspool_worker import backoff
from callspool_worker.api.endpoint import PostAnswer
from callspool_worker.webhooks.delivery import EndpointDelivery, LedgerFeed
from tests.support.ledgers import LedgerUnderTest

SECRET = f"whsec_{base64.b64encode(b'x' * 32).decode()}"
TAKEN = PostAnswer(204)
HOUR = 3_600_000


class PlayedEndpoint:
    """Delivers by steps; ``answer`` says what the endpoint answers to a list of document ids."""

    def __init__(self, client: redis.Redis, folder: Path, **wants: Any) -> None:
        self.client = client
        self.ledger = LedgerUnderTest(client).ledger
        file = folder / "crm.secret"
        file.write_text(f"{SECRET}\n")
        self.endpoint = WebhookEndpoint(
            **{"name": "crm", "url": "https://crm.example/in", "secret_file": file, **wants}
        )
        self.answer: Callable[[list[str]], PostAnswer] = lambda _: TAKEN
        self.posts: list[list[dict[str, Any]]] = []
        self.taken: list[str] = []
        self.bodies: list[tuple[bytes, dict[str, str]]] = []
        self.shift_ms = 0
        self.delivery = self.deliver_as("one")
        self.delivery.step()  # from now on

    def deliver_as(self, holder: str) -> EndpointDelivery:
        feed = LedgerFeed([self.ledger], "webhook-crm")
        clock = self.now_of
        return EndpointDelivery(
            self.ledger, feed, self.endpoint, self, holder, wait=backoff.delay, clock=clock
        )

    def now_of(self, ms: int) -> int:
        return ms + self.shift_ms

    def post(self, body: bytes, headers: Any) -> PostAnswer:
        events = msgspec.json.decode(body)["data"]["events"]
        ids = [event["document_id"] for event in events]
        self.posts.append(events)
        self.bodies.append((body, dict(headers)))
        answer = self.answer(ids)
        if answer == TAKEN:
            self.taken += ids
        return answer

    def happen(self, *ids: str, kind: str = "ended", account: str = "default") -> None:
        fields = {"t": kind, "a": account, "c": "spring", "r": "R1", "o": "r" * len(ids)}
        self.client.xadd(PartitionKeys().events, {**fields, "i": "\n".join(ids)})

    def run(self, *, until_ms: int = 0, most: int = 5000) -> None:
        """Steps until nothing is left to do, or, with ``until_ms``, until then."""
        for _ in range(most):
            pause = self.delivery.step()
            if pause and not until_ms:
                state = self.record().state
                if not state.rest_until:
                    return
            self.shift_ms += round(pause * 1000)
            if until_ms and self.shift_ms >= until_ms:
                return

    def record(self) -> EndpointRecord:
        (found,) = self.ledger.read(read_endpoints(1000))
        return found
