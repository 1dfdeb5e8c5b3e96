"""How much one process of `callspool serve` takes in, with how much processor and memory.

Starts a server and a Redis of its own that appends every change to disk; callers keep their
connections and post one request after another. Prints one line a run.

    python -m benchmarks.serving [--seconds 10]
    python -m benchmarks.serving --list 1000      (posts so many megabytes of NDJSON)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.machine import cpu_seconds, peak_bytes
from callspool_ledger.access import Right
from tests.operators.serving.conftest import Intake, document, posted, start_serve
from tests.support.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

MODES = (
    ("requests of 1 document, 50 connections", 1, 50, None),
    ("the same, a key with a rate", 1, 50, 100_000_000),
    ("requests of 500 documents, 4 connections", 500, 4, None),
    ("the same, a key with a rate", 500, 4, 100_000_000),
)
BLOCK = 1024 * 1024


def bodies_of(documents: int) -> Iterator[bytes]:
    """Bodies of documents that nobody has posted before."""
    numbers = count()
    while True:
        some = [document(next(numbers) % 60_000) for _ in range(documents)]
        for each in some:
            each["document_id"] = f"crm-{next(numbers)}"
        yield json.dumps([posted(*some)]).encode()


async def post_all(port: int, secret: str, bodies: list[bytes], until: float) -> int:
    """Posts bodies on one connection until they or the time end; returns how many."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    for body in bodies:
        if time.monotonic() > until:
            break
        writer.write(
            f"POST /v1/requests HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202"), head
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        await reader.readexactly(length)
        done += 1
    writer.close()
    return done


async def post_for(
    seconds: float, port: int, secret: str, documents: int, connections: int
) -> tuple[int, float]:
    bodies = bodies_of(documents)
    each = max(20, int(seconds * 4000 / documents / connections))
    ready = [[next(bodies) for _ in range(each)] for _ in range(connections)]
    began = time.monotonic()
    done = await asyncio.gather(*(post_all(port, secret, some, began + seconds) for some in ready))
    return sum(done), time.monotonic() - began


def post_list(port: int, secret: str, megabytes: int) -> None:
    """Posts an NDJSON body, which is made while it goes out."""

    async def run() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        line = b'{"document_id":"crm-%09d","name":"Person %d","contact_number":"+1%d55501%02d"}\n'
        path = "/v1/documents?pilot=space-agent&context=Follow+up&shared_numbers=true"
        writer.write(
            f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n"
            "content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        sent, numbers = 0, count()
        while sent < megabytes * BLOCK:
            some = [next(numbers) for _ in range(5_000)]
            rows = b"".join(line % (at, at, 200 + at // 100 % 800, at % 100) for at in some)
            writer.write(b"%x\r\n" % len(rows) + rows + b"\r\n")
            await writer.drain()
            sent += len(rows)
        writer.write(b"0\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202"), head
        writer.close()

    asyncio.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--list", type=int, default=0, metavar="MEGABYTES")
    asked = parser.parse_args()
    unlimited = {"CALLSPOOL_MAX_WAITING": "100000000", "CALLSPOOL_SERVE_UPLOAD_BYTES": "4000000000"}
    for name, documents, connections, rate in MODES if not asked.list else ():
        with tempfile.TemporaryDirectory() as folder, RedisServer(append_only=True) as server:
            process, port = start_serve(server.url, Path(folder), **unlimited)
            intake = Intake(port, server.url)
            secret = intake.create_key("shop", Right.ENQUEUE, space_token="8KZ", per_minute=rate)
            before = cpu_seconds([process.pid])
            posted_all = post_for(asked.seconds, port, secret, documents, connections)
            done, seconds = asyncio.run(posted_all)
            used, megabytes = cpu_seconds([process.pid]) - before, peak_bytes([process.pid]) / BLOCK
            process.terminate()
            process.wait()
            queued = int(intake.redis.hget("callspool:{0}:counts", "spooled") or 0)
            assert queued == done * documents
            print(
                f"{name}: {done / seconds:,.0f} requests, {done * documents / seconds:,.0f}"
                f" documents a second; {used / done * 1e6:,.0f} µs of its processor"
                f" a request; {megabytes:.0f} MB at most"
            )
    if asked.list:
        with tempfile.TemporaryDirectory() as folder, RedisServer() as server:
            process, port = start_serve(server.url, Path(folder), **unlimited)
            intake = Intake(port, server.url)
            secret = intake.create_key("shop", Right.ENQUEUE, space_token="8KZ")
            began = time.monotonic()
            post_list(port, secret, asked.list)
            megabytes = peak_bytes([process.pid]) / BLOCK
            process.terminate()
            process.wait()
            print(
                f"a list of {asked.list:,} MB: {time.monotonic() - began:,.0f} s,"
                f" {megabytes:.0f} MB at most"
            )


if __name__ == "__main__":
    main()
