"""Lua scripts: called by digest, loaded when the server does not know them."""

from __future__ import annotations

import asyncio
import re

import pytest
import redis
import redis.asyncio

from callspool.redis_io.scripts import Script, run, run_async
from callspool_ledger.scripts import load

STREAM, COUNTS = "callspool:{0}:requests", "callspool:{0}:counts"


@pytest.fixture
def enqueue() -> Script:
    return load("enqueue/enqueue")


def test_a_script_is_read_once_and_known_by_its_digest(
    enqueue: Script, client: redis.Redis
) -> None:
    assert enqueue is load("enqueue/enqueue")
    assert client.script_load(enqueue.source) == enqueue.sha


def test_a_server_that_does_not_know_the_scripts_gets_them_amid_a_pipeline(
    enqueue: Script, client: redis.Redis
) -> None:
    client.script_flush()
    replies = run(
        client,
        [
            enqueue.call([STREAM, COUNTS], [1, b"[]", 3, 10, 1]),
            ("PING",),
            enqueue.call([STREAM, COUNTS], [1, b"[]", 8, 10, 1]),
            ("HGET", COUNTS, "nothing"),
            ("LPUSH", "no-value"),
        ],
    )
    assert isinstance(replies[0], bytes)
    assert replies[1:4] == [True, 0, None]
    assert isinstance(replies[4], redis.ResponseError)
    assert client.hget(COUNTS, "spooled") == b"3"
    assert run(client, [("HGET", COUNTS, "spooled")]) == [b"3"]


def test_the_same_goes_for_an_event_loop(enqueue: Script, redis_url: str) -> None:
    async def scenario() -> None:
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            await client.script_flush()
            for expected in (b"2", b"4"):
                _, spooled = await run_async(
                    client,
                    [
                        enqueue.call([STREAM, COUNTS], [1, b"[]", 2, 10, 1]),
                        ("PING",),
                    ],
                )
                assert spooled
                assert await client.hget(COUNTS, "spooled") == expected

    asyncio.run(scenario())


def test_the_header_of_enqueue_tells_every_key_and_argument_it_uses(enqueue: Script) -> None:
    header, code = [], []
    for line in enqueue.source.splitlines():
        (header if line.startswith("--") else code).append(line)
    for word in ("KEYS", "ARGV"):
        told = re.findall(rf"{word}\[(\d+)\]", "\n".join(header))
        assert told == sorted(set(told))
        assert set(told) == set(re.findall(rf"{word}\[(\d+)\]", "\n".join(code)))


def test_what_enqueue_stores_is_the_message_format(enqueue: Script, client: redis.Redis) -> None:
    run(client, [enqueue.call([STREAM, COUNTS], [1, b"[]", 2, 10, 1, "00-trace-01"])])
    run(client, [enqueue.call([STREAM, COUNTS], [1, b"[]", 2, 10, 1])])
    (_, first), (_, second) = client.xrange(STREAM)
    assert list(first.items()) == [
        (b"v", b"1"),
        (b"requests", b"[]"),
        (b"checked", b"1"),
        (b"n", b"2"),
        (b"trace", b"00-trace-01"),
    ]
    assert b"trace" not in second


def test_documents_waiting_and_documents_not_accepted_yet_count_together(
    enqueue: Script, client: redis.Redis
) -> None:
    client.hset(COUNTS, mapping={"spooled": 4, "waiting": 5})
    call = enqueue.call([STREAM, COUNTS], [1, b"[]", 1, 10, 1])
    assert isinstance(run(client, [call])[0], bytes)
    assert run(client, [call]) == [0]
