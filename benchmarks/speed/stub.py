"""An API that costs as little as possible: it counts documents and names a run and tasks for them.

    python -m benchmarks.speed.stub --port 8901 [--latency 0.2]
    python -m benchmarks.speed.stub --port 8901 --latency 0.02 --a-document 0.002 --one-at-a-time

``GET /counted`` tells what came, as JSON: documents, requests, the moment of the last one (of
`time.monotonic`), CPU seconds of this process, documents and moments for each space, and the
seconds that requests were worked on, and that they took with their waiting.
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


class Work:
    """How long each create-call is worked on; ``one_at_a_time``: the others wait meanwhile."""

    def __init__(self, latency: float, a_document: float, *, one_at_a_time: bool) -> None:
        self._latency = latency
        self._a_document = a_document
        self._one_at_a_time = one_at_a_time
        self._free_at = 0.0

    def begin(self, documents: int) -> tuple[float, float]:
        """Returns the seconds of work on a request that has come, and those until its answer."""
        works = self._latency + self._a_document * documents
        if not self._one_at_a_time:
            return works, works
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + works
        return works, self._free_at - now


class Counted:
    """What came so far."""

    def __init__(self) -> None:
        self.documents = self.requests = 0
        self.last = self.worked = self.took = 0.0
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
                "worked": self.worked,
                "took": self.took,
                "spaces": spaces if with_spaces else {},
            }
        ).encode()


class Exchange(asyncio.Protocol):
    """One connection; requests come one after another, as HTTP/1.1 clients send them."""

    def __init__(self, counted: Counted, work: Work) -> None:
        self._counted = counted
        self._work = work
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
        works, takes = self._work.begin(documents)
        if takes:
            came = time.monotonic()
            loop = asyncio.get_running_loop()
            loop.call_later(takes, self._create_late, documents, works, came)
        else:
            self._create(documents)

    def _read(self, raw: bytes) -> bytes:
        if raw.startswith(b"GET /counted"):
            return self._counted.report(with_spaces=raw.startswith(b"GET /counted?spaces"))
        return b'{"count":0,"status_code":200,"message":"ok","data":[]}'

    def _create_late(self, documents: int, worked: float, came: float) -> None:
        self._counted.worked += worked
        self._counted.took += time.monotonic() - came
        self._create(documents)

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


async def serve(port: int, work: Work) -> None:
    """Serves on the loopback interface for ever."""
    counted = Counted()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Exchange(counted, work), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--a-document", type=float, default=0.0)
    parser.add_argument("--one-at-a-time", action="store_true")
    given = parser.parse_args()
    work = Work(given.latency, given.a_document, one_at_a_time=given.one_at_a_time)
    gc.freeze()
    asyncio.run(serve(given.port, work))


if __name__ == "__main__":
    main()
