"""What the duel has to know of each contestant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from benchmarks.duel.roll import Document, Roll
    from benchmarks.duel.rules import RuledLists
    from benchmarks.duel.verdict import Records

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
        """What its processes find in their environment."""

    def commands(self) -> list[list[str]]:
        """The command of each worker."""

    def enqueue(self, place: Place, roll: Roll) -> None:
        """Enqueues everybody, and then once more those who are to be enqueued twice."""

    def enqueue_ruled(self, place: Place, lists: RuledLists, end: float) -> None:
        """Enqueues the lists whose rules come later; the hours of ``evening`` end at ``end``."""

    def suppress(self, place: Place, documents: list[Document]) -> None:
        """Returns once the suppression of their numbers is acknowledged."""

    def standing(self, client: redis.Redis) -> tuple[int, int]:
        """What is still to be done, and what is in doubt, by its own books."""

    def records(self, client: redis.Redis, roll: Roll, /) -> Records:
        """Its books, once it is done."""
