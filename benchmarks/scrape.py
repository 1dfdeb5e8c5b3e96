"""What a scrape of `callspool exporter` costs, with an empty ledger and with a very full one.

Fills a ledger of its own through the ledger's scripts: lanes of one account in many spaces, each
with documents that wait, and documents that were created. Scrapes it when nothing is paused or
parked, then with pauses and closed gates, then with every lane parked by itself. Prints a line
each: milliseconds (median, least, most) and what the exporter asked Redis.

    python -m benchmarks.scrape [--documents 5000000] [--lanes 20000] [--scrapes 15]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from itertools import count, islice
from statistics import median
from typing import TYPE_CHECKING

from callspool_ledger import keys, scripts
from callspool_ledger.writes import Delivery, Group, LaneKey, Ledger, Limits
from tests.support.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import redis

WAITING_A_LANE = 20
SPACES = 500
BATCH = 100
AT_ONCE = 50
"""Messages that one call accepts."""


def batched(numbers: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """As `itertools.batched`, which Python 3.11 has not."""
    each = iter(numbers)
    while piece := tuple(islice(each, size)):
        yield piece


def lane_of(number: int) -> LaneKey:
    return LaneKey("default", f"SPACE-{number % SPACES}", "", "pilot", f"context {number}", "{}")


def group_of(lane: LaneKey, first: int, number: int) -> Group:
    ids = [f"crm-{each}" for each in range(first, first + number)]
    return Group(
        lane_id=hashlib.blake2b(repr(lane).encode(), digest_size=10).hexdigest(),
        lane=lane,
        empty_body_bytes=100,
        digests=[hashlib.blake2b(each.encode(), digest_size=12).digest() for each in ids],
        documents=[
            f'{{"name":"Ada","contact_number":"+14155550123","document_id":"{each}"}}'.encode()
            for each in ids
        ],
    )


class Filler:
    """Puts documents into a ledger as workers do."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.stream = keys.stream(keys.REQUESTS)
        self.ledger = Ledger(client, Limits(batch_size=BATCH, linger_ms=0))
        self.ledger.open("")
        client.xgroup_create(self.stream, keys.GROUP, "0", mkstream=True)
        self.turns = count()

    def accept(self, groups: tuple[Group, ...]) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for _ in groups:
            pipeline.xadd(self.stream, {"v": "1"})
        pipeline.execute()
        ((_, entries),) = self.client.xreadgroup(
            keys.GROUP, "me", {self.stream: ">"}, count=len(groups)
        )
        self.ledger.accept(
            [
                Delivery(entry.decode(), 0, [group])
                for (entry, _), group in zip(entries, groups, strict=True)
            ]
        )

    def create_all(self) -> None:
        while taken := self.ledger.take(f"t{next(self.turns)}", ["default"]):
            ids = [f"T{taken.batch:08x}{place:024x}" for place in range(taken.count)]
            run = f"R{taken.batch:032x}"
            self.ledger.run([self.ledger.calls.record_created(taken, run, ids, "200")])

    def fill(self, documents: int, lanes: int) -> None:
        first = lanes * WAITING_A_LANE
        rounds = batched(range(first, documents, BATCH), AT_ONCE)
        for done, numbers in enumerate(rounds):
            lane = lane_of(done % max(1, lanes))
            self.accept(tuple(group_of(lane, number, BATCH) for number in numbers))
            self.create_all()
        for numbers in batched(range(lanes), AT_ONCE):
            self.accept(
                tuple(
                    group_of(lane_of(lane), lane * WAITING_A_LANE, WAITING_A_LANE)
                    for lane in numbers
                )
            )

    def close(self, gates: list[str], pauses: list[str]) -> None:
        limits = self.ledger.limits
        for gate in gates:
            self.ledger.run([self.ledger.calls.park(limits, gate, reason="not found", code="404")])
        for pause in pauses:
            self.ledger.run(
                [scripts.load("steering/pause").call([keys.prefix()], [pause, "me", "{}"])]
            )


@contextmanager
def exporter(url: str) -> Iterator[str]:
    command = [sys.executable, "-m", "callspool", "exporter", "--port", "0", "--redis", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


def scrape(address: str) -> float:
    begun = time.perf_counter()
    with urllib.request.urlopen(address) as page:
        page.read()
    return (time.perf_counter() - begun) * 1000


def commands(client: redis.Redis) -> dict[str, int]:
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}


def script_ms(client: redis.Redis) -> float:
    stats = client.info("commandstats").get("cmdstat_evalsha", {"usec_per_call": 0.0})
    return float(stats["usec_per_call"]) / 1000


def measure(what: str, client: redis.Redis, address: str, scrapes: int) -> None:
    scrape(address)
    client.config_resetstat()
    took = [scrape(address) for _ in range(scrapes)]
    asked = commands(client)
    on_the_wire = asked.get("evalsha", 0) + asked.get("info", 0)
    inside = sum(
        n for name, n in asked.items() if name not in ("evalsha", "info", "config|resetstat")
    )
    redis_ms, in_one_trip = script_ms(client), on_the_wire / scrapes
    print(
        f"{what:36} {median(took):6.1f} ms ({min(took):.1f}-{max(took):.1f});"
        f" Redis {redis_ms:.1f} ms, {in_one_trip:.0f} commands in one round trip,"
        f" {inside / scrapes:.0f} in the script",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=5_000_000)
    parser.add_argument("--lanes", type=int, default=20_000)
    parser.add_argument("--scrapes", type=int, default=15)
    asked = parser.parse_args()
    os.environ.pop("CALLSPOOL_REDIS_URL", None)
    with RedisServer() as server, server.client() as client, exporter(server.url) as address:
        filler = Filler(client)
        measure("0 documents", client, address, asked.scrapes)
        begun = time.perf_counter()
        filler.fill(asked.documents, asked.lanes)
        filled = f"{asked.documents:,} documents, {client.scard(f'{keys.prefix()}:lanes'):,} lanes"
        memory = client.info("memory")["used_memory"] / 2**20
        print(f"filled in {time.perf_counter() - begun:.0f} s: {memory:,.0f} MB", flush=True)
        measure(filled, client, address, asked.scrapes)
        filler.close(["account:other", "space:default|SPACE-1"], ["space=SPACE-2"])
        measure("… a space parked, one paused", client, address, asked.scrapes)
        lanes = [group_of(lane_of(each), 0, 0).lane_id for each in range(asked.lanes)]
        filler.close([f"lane:{lane}" for lane in lanes[:1000]], [])
        measure("… 1,000 lanes parked by themselves", client, address, asked.scrapes)
        filler.close([f"lane:{lane}" for lane in lanes[1000:]], [])
        measure("… all lanes parked by themselves", client, address, asked.scrapes)


if __name__ == "__main__":
    main()
