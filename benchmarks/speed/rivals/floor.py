"""The least that the work needs: encode, claim, post. No checks, no ledger, no lanes, no retries.

python -m benchmarks.speed.rivals.floor    one worker process, until it is terminated
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import redis

from benchmarks.speed.contacts import BATCH, CONTEXT, PILOT, SCHEDULE, Document
from benchmarks.speed.rivals.posting import API_URL, HEADERS, PATH, REDIS_URL

if TYPE_CHECKING:
    from collections.abc import Iterable

STREAM, GROUP = "floor", "workers"
SCRIPT = Path(__file__).with_name("floor.lua")
READ_AHEAD = 4
IDLE_MS = 100

_encode = msgspec.json.Encoder().encode
_HEAD = b'{"pilot":%b,"context":%b,"schedule":%b,"documents":[' % (
    _encode(PILOT),
    _encode(CONTEXT),
    _encode(SCHEDULE),
)


def enqueue(client: redis.Redis, requests: Iterable[list[Document]]) -> None:
    """Stores a ready body and its digests for each batch, those of a request in one round trip."""
    for documents in requests:
        pipeline = client.pipeline(transaction=False)
        for start in range(0, len(documents), BATCH):
            batch = documents[start : start + BATCH]
            body = body_of(batch)
            digests = b"".join(
                [blake2b(each["document_id"].encode(), digest_size=12).digest() for each in batch]
            )
            pipeline.execute_command("XADD", STREAM, "*", "d", digests, "b", body)
        pipeline.execute()


def body_of(documents: list[Document]) -> bytes:
    """Returns the body of a create-call."""
    return _HEAD + b",".join([_encode(each) for each in documents]) + b"]}"


class Poster:
    """Ready bodies through httpx's transport, without its client."""

    def __init__(self, api_url: str) -> None:
        self._transport = httpx.HTTPTransport()
        self._url = httpx.URL(api_url + PATH)
        self._headers = [
            (b"Host", self._url.netloc),
            *((name.encode(), value.encode()) for name, value in HEADERS.items()),
            (b"Content-Type", b"application/json"),
        ]

    def post(self, body: bytes) -> bytes:
        headers = [*self._headers, (b"Content-Length", b"%d" % len(body))]
        stream = httpx.ByteStream(body)
        request = httpx.Request("POST", self._url, headers=headers, stream=stream)
        response = self._transport.handle_request(request)
        try:
            return response.read()
        finally:
            response.close()

    def close(self) -> None:
        self._transport.close()


class Worker:
    """Claims a batch and fetches the next ones in one round trip, then posts the first."""

    def __init__(self, client: redis.Redis, poster: Poster) -> None:
        self._client = client
        self._poster = poster
        self._name = f"floor-{os.getpid()}"
        self._sha = client.script_load(SCRIPT.read_text())
        self._read = ("XREADGROUP", "GROUP", GROUP, self._name, "COUNT", READ_AHEAD)

    def run(self) -> None:
        waiting: list[Any] = []
        number = os.getpid() << 24
        while True:
            if not waiting:
                waiting = _entries(
                    self._client.execute_command(
                        *self._read, "BLOCK", IDLE_MS, "STREAMS", STREAM, ">"
                    )
                )
                continue
            entry, fields = waiting.pop(0)
            number += 1
            pipeline = self._client.pipeline(transaction=False)
            pipeline.evalsha(self._sha, 1, STREAM, GROUP, entry, number, fields[b"d"])
            if not waiting:
                pipeline.execute_command(*self._read, "STREAMS", STREAM, ">")
            claimed, *more = pipeline.execute()
            if claimed:
                self._poster.post(fields[b"b"])
            for reply in more:
                waiting = _entries(reply)


def prepare(client: redis.Redis) -> None:
    """Makes the consumer group."""
    client.xgroup_create(STREAM, GROUP, "0", mkstream=True)


def _entries(reply: Any) -> list[Any]:
    return list(reply[0][1]) if reply else []


def main() -> None:
    client = redis.Redis.from_url(os.environ[REDIS_URL])
    Worker(client, Poster(os.environ[API_URL])).run()


if __name__ == "__main__":
    main()
