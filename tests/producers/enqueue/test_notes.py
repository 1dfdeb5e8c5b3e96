"""Small messages that stand behind many documents are noted, so that they need not wait for all."""

from __future__ import annotations

import redis

from callspool import CallQueue
from callspool_ledger import keys
from tests.support.call_requests import COUNTS, STREAM, contacts, one_contact, queued_ids
from tests.support.servers import RedisServer

SOON = keys.soon_list(STREAM)
MANY, SMALL, NOTED = 20_000, 100, 1000


def ids(client: redis.Redis) -> list[bytes]:
    return [entry_id for entry_id, _ in client.xrange(STREAM)]


def people(number: int, name: str = "d") -> list[str]:
    return [f"{name}{place}" for place in range(number)]


def test_a_small_message_behind_many_documents_is_noted(
    redis_url: str, client: redis.Redis
) -> None:
    client.hset(COUNTS, "spooled", MANY)
    with CallQueue(redis_url) as queue:
        queue.enqueue(contacts(people(SMALL)))
        queue.enqueue(one_contact("a"))
    assert client.lrange(SOON, 0, -1) == ids(client)
    assert len(ids(client)) == 2


def test_a_larger_message_and_one_behind_few_documents_are_not(
    redis_url: str, client: redis.Redis
) -> None:
    with CallQueue(redis_url) as queue:
        queue.enqueue(one_contact("a"))
        client.hset(COUNTS, "spooled", MANY - 1)
        queue.enqueue(one_contact("b"))
        client.hset(COUNTS, "spooled", MANY)
        queue.enqueue(contacts(people(SMALL + 1)))
    assert client.exists(SOON) == 0


def test_notes_are_bounded(redis_url: str, client: redis.Redis) -> None:
    client.hset(COUNTS, "spooled", MANY)
    client.rpush(SOON, *["1-1"] * (NOTED - 1))
    with CallQueue(redis_url) as queue:
        queue.enqueue(one_contact("a"))
        queue.enqueue(one_contact("b"))
    assert client.llen(SOON) == NOTED
    assert client.lindex(SOON, -1) == ids(client)[0]


def test_what_is_no_list_keeps_nobody_from_enqueueing(redis_url: str, client: redis.Redis) -> None:
    client.hset(COUNTS, "spooled", MANY)
    client.set(SOON, "x")
    with CallQueue(redis_url) as queue:
        queue.enqueue(one_contact("a"))
    assert queued_ids(client) == ["a"]


def test_a_user_that_may_not_note_enqueues_without_it() -> None:
    rights = "+evalsha +script|load +xadd +hmget +hincrby"
    with RedisServer() as server, server.client() as client:
        client.hset(COUNTS, "spooled", MANY)
        client.execute_command(f"ACL SETUSER web on >pw ~callspool:* {rights}")
        with CallQueue(server.url.replace("redis://", "redis://web:pw@")) as queue:
            queue.enqueue(one_contact("a"))
        assert queued_ids(client) == ["a"]
        assert client.exists(SOON) == 0
        refused = [each["object"] for each in client.execute_command("ACL LOG")]
        assert not {"llen", "rpush"}.intersection(refused)
