"""A worker process for tests to kill: says on stdout what it begins, and never ends it."""

from __future__ import annotations

import sys
import time

import redis

from callspool.transport import Patience, StreamsBroker
from tests.producers.transport.helpers import actor, working


def main(url: str, claim_after: str) -> None:
    patience = Patience(claim_after=float(claim_after), deliveries=4)
    broker = StreamsBroker(redis.Redis.from_url(url), prefetch={"work": 8}, patience=patience)

    def hang(number: int) -> None:
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        time.sleep(3600)

    actor(broker, hang)
    with working(broker, threads=1):
        time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
