"""An API that costs as little as possible: it counts documents and names a run and tasks for them.

    python -m benchmarks.speed.stub --port 8901 [--latency 0.2]

``GET /counted`` tells what came, as JSON: documents, requests, the moment of the last one (of
`time.monotonic`), CPU seconds of this process, and documents and moments for each space.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import secrets
import time
from functools import cache

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_DOCUMENT = b'"document_id"'
_SPACES = b"/spaces/"
_MOST_IDS = 1024

_TAILS = [f"{place:08x}" for place in range(_MOST_IDS)]


class Counted:
    """What came so far."""

    def __init__(self) -> None:
        self.documents = self.requests = 0
        self.last = 0.0
        self.spaces: dict[bytes, list[float]] = {}

    def add(self, head: bytes, documents: int) -> None:
        self.requests += 1
        self.documents += documents
        self.last = time.monotonic()
        start = head.find(_SPACES) + len(_SPACES)
        space = head[start : head.find(b"/", start)]
        found = self.spaces.get(space)
        if found is None:
            found = self.spaces[space] = [0, self.last, 0.0]
        found[0] += documents
        found[2] = self.last

    def report(self, *, with_spaces: bool) -> bytes:
        spaces = {name.decode(): found for name, found in self.spaces.items()}
        return json.dumps(
            {
                "documents": self.documents,
                "requests": self.requests,
                "last": self.last,
                "cpu": time.process_time(),
                "spaces": spaces if with_spaces else {},
            }
        ).encode()


class Exchange(asyncio.Protocol):
    """One connection; requests come one after another, as HTTP/1.1 clients send them."""

    def __init__(self, counted: Counted, latency: float) -> None:
        self._counted = counted
        self._latency = latency
        self._parts: list[bytes] = []
        self._held = 0
        self._wanted = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._held += len(data)
        if self._wanted and self._held < self._wanted:
            return
        raw = b"".join(self._parts)
        if not self._wanted:
            end = raw.find(_HEAD_END)
            if end < 0:
                self._keep(raw)
                return
            self._head = raw[:end]
            self._wanted = end + len(_HEAD_END) + _length(self._head)
            if len(raw) < self._wanted:
                self._keep(raw)
                return
        self._wanted = 0
        self._keep(b"")
        self._answer(raw)

    def _keep(self, raw: bytes) -> None:
        self._parts = [raw] if raw else []
        self._held = len(raw)

    def _answer(self, raw: bytes) -> None:
        if raw.startswith(b"GET "):
            self._transport.write(_response(self._read(raw)))
            return
        documents = raw.count(_DOCUMENT)
        if self._latency:
            loop = asyncio.get_running_loop()
            loop.call_later(self._latency, self._create, documents)
        else:
            self._create(documents)

    def _read(self, raw: bytes) -> bytes:
        if raw.startswith(b"GET /counted"):
            return self._counted.report(with_spaces=raw.startswith(b"GET /counted?spaces"))
        return b'{"count":0,"status_code":200,"message":"ok","data":[]}'

    def _create(self, documents: int) -> None:
        self._counted.add(self._head, documents)
        if not self._transport.is_closing():
            self._transport.write(_response(_created(documents)))


def _length(head: bytes) -> int:
    start = head.lower().find(_LENGTH)
    if start < 0:
        return 0
    end = head.find(b"\r\n", start)
    return int(head[start + len(_LENGTH) : end if end > 0 else len(head)])


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def _created(documents: int) -> bytes:
    """A run and a task id for each document: ``T`` and 32 hex digits, as the API's own."""
    run = secrets.token_hex(12)
    ids = _ids(documents).replace("@", run)
    return (
        f'{{"status_code":200,"message":"Tasks created","data":{{"run_id":"R{run}"'
        f',"task_ids":[{ids}],"status":"pending"}}}}'
    ).encode()


@cache
def _ids(documents: int) -> str:
    return ",".join(f'"T@{tail}"' for tail in _TAILS[:documents])


async def serve(port: int, latency: float) -> None:
    """Serves on the loopback interface for ever."""
    counted = Counted()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Exchange(counted, latency), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    given = parser.parse_args()
    gc.freeze()
    asyncio.run(serve(given.port, given.latency))


if __name__ == "__main__":
    main()
