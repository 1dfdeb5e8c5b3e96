"""Who takes part: what each one's workers are, and what they find in their environment."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.contacts import CONTEXT, PILOT, SPACE
from tests.support.cli import environment as ours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

ROOT = Path(__file__).parents[2]
PYTHON = (sys.executable, "-m")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender works: its own server, its own API, a directory for what it writes."""

    redis_url: str
    api_url: str
    home: Path


@dataclass(frozen=True)
class Contender:
    """One way of doing the job.

    ``producer`` names how it enqueues (`benchmarks.speed.senders`); ``commands`` are its workers.
    ``prepare`` is called with Redis before they start.
    """

    key: str
    name: str
    note: str
    producer: str
    commands: tuple[tuple[str, ...], ...]
    needs: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[redis.Redis], object] = id

    @property
    def is_ours(self) -> bool:
        return self.producer.startswith("callspool")

    def environment(self, place: Place) -> dict[str, str]:
        """Returns what its processes find in their environment."""
        if self.is_ours:
            return ours(place.home, **_account(place), **self.settings)
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SPEED_API_URL": place.api_url,
            "SPEED_REDIS_URL": place.redis_url,
        }

    def missing(self) -> str:
        """Returns the package that it needs and that is not installed, if any."""
        return self.needs if self.needs and find_spec(self.needs) is None else ""


def _account(place: Place) -> dict[str, str]:
    return {
        "CALLSPOOL_REDIS_URL": place.redis_url,
        "CALLSPOOL_API_URL": place.api_url,
        "CALLSPOOL_API_TOKEN": "rehearsal",
        "CALLSPOOL_ORG_HANDLE": "acme.example",
        "CALLSPOOL_SPACE_TOKEN": SPACE,
        "CALLSPOOL_PILOT": PILOT,
        "CALLSPOOL_CONTEXT": CONTEXT,
        "PYTHONPATH": str(ROOT),
    }


def callspool(producer: str = "callspool", note: str = "", **settings: str) -> Contender:
    """Returns callspool as released, with the settings that are named."""
    return Contender(
        producer,
        producer.replace("-", ", "),
        note or "CallQueue.enqueue_many, `callspool worker` with its defaults, full ledger",
        producer,
        ((*PYTHON, "callspool", "worker"),),
        settings=settings,
    )


_DRAMATIQ = (*PYTHON, "dramatiq", "benchmarks.speed.rivals.dramatiq_app")
_DRAMATIQ_DEFAULTS = ("--processes", "2", "--threads", "8")
_CELERY = (*PYTHON, "celery", "-A", "benchmarks.speed.rivals.celery_app", "worker")
_CELERY_FAST = ("--without-gossip", "--without-mingle", "--without-heartbeat")

DRAMATIQ = Contender(
    "dramatiq",
    "plain dramatiq",
    "a message and a POST for each contact, 2 processes of 8 threads (its defaults on 2 cores)",
    "dramatiq",
    ((*_DRAMATIQ, *_DRAMATIQ_DEFAULTS),),
)
AFTERNOON = Contender(
    "afternoon",
    "the afternoon version",
    "dramatiq, 100 contacts a message, a POST for each message, no deduplication, no ledger",
    "afternoon",
    ((*_DRAMATIQ, *_DRAMATIQ_DEFAULTS),),
)
CELERY = Contender(
    "celery",
    "celery-batches",
    "a task for each contact, flush_every 100, a POST for each batch, early acknowledgement",
    "celery",
    ((*_CELERY, "--concurrency", "2", "--loglevel", "WARNING", *_CELERY_FAST),),
    needs="celery_batches",
)
FLOOR = Contender(
    "floor",
    "the floor",
    "encode, one claim in one script a batch, a ready body through httpx's transport: no more",
    "floor",
    ((*PYTHON, "benchmarks.speed.rivals.floor"),) * 2,
)
