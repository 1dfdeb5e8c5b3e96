from __future__ import annotations

import re

import pytest
import redis

from callspool_ledger.access import (
    AccessKey,
    Admission,
    Right,
    admit,
    digest_of,
    make_secret,
    read_access_keys,
)
from callspool_ledger.errors import AccessKeyError
from callspool_ledger.reads.gates import read_journal
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.steering import KeySteering


@pytest.fixture(params=[1, 3], ids=["one partition", "three partitions"])
def clients(client: redis.Redis, request: pytest.FixtureRequest) -> list[redis.Redis]:
    return [client] * request.param


@pytest.fixture
def steps(clients: list[redis.Redis]) -> KeySteering:
    return KeySteering(clients, "ann@desk")


def make_key(secret: str, name: str = "shop", **bound: object) -> AccessKey:
    return AccessKey(
        name=name,
        digest=digest_of(secret),
        rights=frozenset({Right.ENQUEUE}),
        **bound,  # type: ignore[arg-type]
    )


def knock(clients: list[redis.Redis], secret: str, documents: int = 0) -> Admission | None:
    return LedgerReader(*clients).ask(admit(secret, documents))


def test_a_key_is_let_in_until_it_is_revoked(steps: KeySteering, clients: list[redis.Redis]):
    secret = make_secret()
    key = make_key(secret, space_token="8KZTESTSPACE")
    steps.create(key)
    assert knock(clients, secret) == Admission(key)
    assert knock(clients, secret + "x") is None
    steps.revoke("shop")
    assert knock(clients, secret) is None
    assert LedgerReader(*clients).ask(read_access_keys()) == []
    told = [(each.by, each.command) for each in LedgerReader(*clients).ask(read_journal(9))]
    assert told == [("ann@desk", "keys revoke shop"), ("ann@desk", "keys create shop")]


def test_redis_never_holds_a_secret(steps: KeySteering, clients: list[redis.Redis]):
    secret = make_secret()
    assert re.fullmatch(r"csp_[A-Za-z0-9_-]{43}", secret)
    steps.create(make_key(secret))
    knock(clients, secret, 3)
    held = b"".join(clients[0].dump(name) for name in clients[0].keys("*"))
    assert secret.encode() not in held
    assert secret.removeprefix("csp_").encode() not in held


def test_a_name_belongs_to_one_key(steps: KeySteering, clients: list[redis.Redis]):
    first, second = make_secret(), make_secret()
    steps.create(make_key(first))
    with pytest.raises(AccessKeyError, match="there is a key shop already"):
        steps.create(make_key(second))
    assert knock(clients, second) is None
    with pytest.raises(AccessKeyError, match="there is no key other"):
        steps.revoke("other")
    assert knock(clients, first) is not None


def test_a_key_that_expired_is_none(steps: KeySteering, clients: list[redis.Redis]):
    secret = make_secret()
    steps.create(make_key(secret, expires_at=1.5))
    assert knock(clients, secret) is None


def test_a_limit_counts_what_all_processes_take(steps: KeySteering, clients: list[redis.Redis]):
    secret = make_secret()
    key = make_key(secret, per_minute=60, per_day=100)
    steps.create(key)
    assert knock(clients, secret, 60) == Admission(key)
    late = knock(clients, secret, 10)
    assert late is not None
    assert late.wait is not None
    assert 8 < late.wait <= 10, "one document a second drains"
    assert knock(clients, secret, 61) == Admission(key, None), "more than it ever takes at once"


def test_what_the_day_refuses_is_not_charged_to_the_minute(
    steps: KeySteering, clients: list[redis.Redis]
):
    secret = make_secret()
    steps.create(make_key(secret, per_minute=1000, per_day=100))
    assert knock(clients, secret, 100) == Admission(make_key(secret, per_minute=1000, per_day=100))
    used = clients[0].hgetall("callspool:{0}:access:used")
    refused = knock(clients, secret, 90)
    assert refused is not None
    assert refused.wait is not None
    assert refused.wait > 3600
    assert clients[0].hgetall("callspool:{0}:access:used") == used
