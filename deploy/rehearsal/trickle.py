"""Enqueues invented contacts, a few every few seconds, until SIGTERM. Nobody is called.

The account is `sandbox`, so none of this ever counts as a real call. Some contacts come twice
(duplicates), and a few are such that the sandbox refuses them (dead).
"""

from __future__ import annotations

import itertools
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from callspool import CallQueue, CallRequest, Document
from callspool.errors import QueueFull, QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY = 2.0
"""Seconds between two waves, about."""

LARGEST = 8
"""Contacts of a wave, at most."""

AGAIN = 0.05
"""The share of waves that are enqueued once more, as by a service that lost the answer."""

ENQUEUED = Path("/tmp/enqueued")  # noqa: S108 - a tmpfs of this container alone
"""Touched after each wave that reached the queue."""

SPACES = ("SANDBOXSPACE000000000001", "SANDBOXSPACE000000000002")
CAMPAIGNS = (None, "spring", "renewals")
FIRST_NAMES = ("Ada", "Alan", "Grace", "Edsger", "Barbara", "Niklaus", "Radia", "Ken")


def main() -> int:
    """Works until SIGTERM or Ctrl-C; a queue that is away or full is tried again."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    chance = random.Random()  # noqa: S311 - makes people up
    people = contacts(f"rehearsal-{int(time.time())}", chance)
    with CallQueue.from_env() as queue:
        while not stop.is_set():
            request = CallRequest(
                account="sandbox",
                space_token=chance.choice(SPACES),
                pilot="space-agent-sandbox",
                context="A rehearsal: nobody is called.",
                campaign=chance.choice(CAMPAIGNS),
                documents=list(itertools.islice(people, chance.randint(1, LARGEST))),
            )
            enqueue(queue, request, stop)
            if chance.random() < AGAIN:
                enqueue(queue, request, stop)
            stop.wait(chance.uniform(0.5, 1.5) * EVERY)
    return 0


def enqueue(queue: CallQueue, request: CallRequest, stop: threading.Event) -> None:
    """One wave; tries until the queue has it, or until it is told to stop."""
    while not stop.is_set():
        try:
            queue.enqueue(request)
        except (QueueUnavailable, QueueFull) as fault:
            sys.stderr.write(f"{fault}\n")
            stop.wait(EVERY)
        else:
            ENQUEUED.touch()
            return


def contacts(prefix: str, chance: random.Random) -> Iterator[Document]:
    """People without end, with numbers that belong to nobody."""
    for number in itertools.count():
        area, line = divmod(number % 70_000, 100)
        yield Document(
            name=f"{chance.choice(FIRST_NAMES)} {number}",
            contact_number=f"+1{200 + area}55501{line:02}",
            document_id=f"{prefix}-{number}",
            extra={"sandbox": "reject"} if chance.random() < 0.004 else {},
        )


if __name__ == "__main__":
    sys.exit(main())
