"""A ledger under test, and the invariants that hold for every ledger at every moment."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import redis

from callspool.request.identity import number_digests
from callspool_ledger import keys
from callspool_ledger.steering.calls import SteeringCalls
from callspool_ledger.writes import Accepted, Delivery, Group, LaneKey, Ledger, Limits, Refusal
from callspool_ledger.writes.calls import LedgerCalls
from callspool_worker.ledgers import log_expired

P = keys.prefix()
calls = LedgerCalls(keys.PartitionKeys())
steering_calls = SteeringCalls(keys.PartitionKeys())
STATES = ("waiting", "sending", "in_doubt", "created", "dead", "cancelled", "expired")
LANE = LaneKey("default", "SPACE", "", "pilot-a", "Follow up", '{"type":"now"}')


def digest(document_id: str, lane: LaneKey = LANE) -> bytes:
    scope = "\0".join([*lane[:3], document_id]).encode()
    return hashlib.blake2b(scope, digest_size=12).digest()


def document(document_id: str, size: int = 0) -> bytes:
    return f'{{"document_id":"{document_id}","about":"{"x" * size}"}}'.encode()


def group(
    ids: Sequence[str],
    lane: LaneKey = LANE,
    *,
    expires_ms: int = 0,
    reason: str = "",
    size: int = 0,
    numbers: Sequence[str] = (),
) -> Group:
    return Group(
        lane_id=hashlib.blake2b(repr(lane).encode(), digest_size=10).hexdigest(),
        lane=lane,
        empty_body_bytes=100,
        digests=[digest(one, lane) for one in ids],
        documents=[document(one, size) for one in ids],
        expires_ms=expires_ms,
        reason=reason,
        numbers=number_digests(numbers),
    )


class LedgerUnderTest:
    """A ledger on a real server, with the little that a test needs to feed and to question it."""

    def __init__(self, client: redis.Redis, **limits: Any) -> None:
        self.client = client
        self.ledger = Ledger(client, Limits(**limits), on_expired=log_expired)
        self.ledger.open("")
        self.make_group()

    def make_group(self) -> None:
        """Makes the stream of messages and its group, as the broker does."""
        stream = keys.stream(keys.REQUESTS)
        with contextlib.suppress(redis.ResponseError):  # it is there already
            self.client.xgroup_create(stream, keys.GROUP, "0", mkstream=True)

    def deliver(
        self, groups: Iterable[Group], refusals: Iterable[Refusal] = (), spooled: int = 0
    ) -> Delivery:
        """Puts a message into the stream and reads it, as the broker does."""
        stream = keys.stream(keys.REQUESTS)
        self.client.xadd(stream, {"v": "1"})
        ((_, [(entry_id, _)]),) = self.client.xreadgroup(keys.GROUP, "me", {stream: ">"}, count=1)
        return Delivery(entry_id.decode(), spooled, list(groups), list(refusals))

    def accept(self, *groups: Group) -> Accepted:
        (accepted,) = self.ledger.accept([self.deliver(groups)])
        return accepted

    def counts(self, account: str = "default") -> Counter[str]:
        found = self.client.hgetall(f"{P}:counts")
        return Counter(
            {
                name.decode().split("|")[1]: int(number)
                for name, number in found.items()
                if name.decode().startswith(f"{account}|")
            }
        )

    def state(self, document_id: str, lane: LaneKey = LANE) -> str:
        """The state letter of a document, found as the reader find it; "" if unknown."""
        name = digest(document_id, lane)
        for generation in reversed(self.client.hget(f"{P}:meta", "generations").split()):
            bucket = f"{P}:i".encode() + generation + b":" + name[:2]
            value = self.client.hget(bucket, name[2:])
            if value is not None:
                batch, place = divmod(int(value), 1024)
                return self.client.hget(f"{P}:b{batch}", "s")[place : place + 1].decode()
        return ""

    def check(self, account: str = "default") -> None:
        """The counts add up, and say what the batches say."""
        counts = self.counts(account)
        assert counts["accepted"] == sum(counts[state] for state in STATES), counts
        letters: Counter[str] = Counter()
        for key in self.client.scan_iter(f"{P}:b*"):
            owner, states = self.client.hmget(key, "account", "s")
            if owner == account.encode():
                letters.update(states.decode())
        seen = {
            "waiting": letters["w"],
            "sending": letters["s"],
            "in_doubt": letters["d"],
            "created": letters["c"],
            "dead": letters["x"] + letters["X"],
            "cancelled": letters["k"] + letters["K"],
            "expired": letters["e"],
        }
        assert {state: counts[state] for state in STATES} == seen
