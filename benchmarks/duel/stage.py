"""What everybody meets, the API's faults and its pace, and what the duel has to know of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from benchmarks.duel.roll import Document, Roll
    from benchmarks.duel.rules import RuledLists
    from benchmarks.duel.verdict import Records

LATENCY = 0.7
"""Seconds that a create-call takes when all is well."""

REQUEST_TIMEOUT = 2.5
"""Seconds that everybody waits for an answer."""

HANG = 4.0
"""Seconds of silence; the API then goes on, although the client has gone."""

PROOF_QUIET = 5.0
PROOF_QUIET_ANSWERED = 2.0
"""Callspool's quiet periods, shortened: this API creates nothing later than that."""

TRIES = 20
LEAST_BACKOFF, MOST_BACKOFF = 1.0, 5.0
"""The rivals' retries: as often as dramatiq does by default, but sooner, so that a duel ends."""

FAULTS = f"""
[[faults]]
name = "status"
status = 500
where = "before"
probability = 0.02

[[faults]]
name = "status"
status = 500
where = "amid"
probability = 0.02

[[faults]]
name = "status"
status = 500
where = "after"
probability = 0.03

[[faults]]
name = "status"
status = 500
where = "late"
delay = 0.01
probability = 0.02

[[faults]]
name = "status"
status = 502
where = "before"
probability = 0.02

[[faults]]
name = "status"
status = 503
where = "after"
probability = 0.02

[[faults]]
name = "drop"
where = "before"
probability = 0.02

[[faults]]
name = "drop"
where = "after"
probability = 0.02

[[faults]]
name = "hang"
where = "before"
seconds = {HANG}
probability = 0.02

[[faults]]
name = "hang"
where = "after"
seconds = {HANG}
probability = 0.02

[[faults]]
name = "status"
status = 429
where = "before"
retry_after = 1
probability = 0.04
"""


WORKERS = 2
"""Workers of each contestant; one is killed while the other goes on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contestant works: its own server, its own API, a directory for what it writes."""

    redis_url: str
    api_url: str
    home: Path


class Contestant(Protocol):
    """One way of doing the job."""

    name: str
    note: str

    def environment(self, place: Place) -> dict[str, str]:
        """Returns what its processes find in their environment."""

    def commands(self) -> list[list[str]]:
        """Returns the command of each worker."""

    def enqueue(self, place: Place, roll: Roll) -> None:
        """Enqueues everybody, and then once more those who are to be enqueued twice."""

    def enqueue_ruled(self, place: Place, lists: RuledLists, end: float) -> None:
        """Enqueues the lists whose rules come later; the hours of ``evening`` end at ``end``."""

    def suppress(self, place: Place, documents: list[Document]) -> None:
        """Returns once the suppression of their numbers is acknowledged."""

    def standing(self, client: redis.Redis) -> tuple[int, int]:
        """Returns what is still to be done, and what is in doubt, by its own books."""

    def records(self, client: redis.Redis, roll: Roll, /) -> Records:
        """Returns its books, once it is done."""
