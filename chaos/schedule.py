"""What is going to happen in a run, drawn up front: the same seed, the same schedule."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from chaos.mix import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_CUT = 16
"""A connection is cut at most 2 to the power of this many bytes after the fault was due."""


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault: when (seconds from the start), which, for how long (seconds).

    ``pick`` (0 to 1) chooses among processes. A cut comes after ``bytes`` more bytes in the
    direction ``up`` (to the server) or ``down``, with a TCP reset or in good order.
    """

    at: float
    kind: str
    seconds: float = 0.0
    pick: float = 0.0
    bytes: int = 0
    up: bool = True
    reset: bool = False


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run is asked to do. ``seconds`` of faults; healing and settling come after them."""

    seed: int
    seconds: float
    documents: int
    mix: dict[str, float]
    reading_back: bool = True
    supervisors: int = 2
    processes: int = 2
    threads: int = 4
    producers: int = 4
    batch_size: int = 50
    fsync: str = "everysec"
    durable: str = ""
    """CALLSPOOL_DURABLE_TAKES; "" for local where nothing is read back, else off."""


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plan and its events, in their order; to replay a run, or to leave events out of it."""

    plan: Plan
    events: list[Event]

    def save(self, path: Path) -> None:
        """Writes it as JSON that can be read and edited."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


def load_schedule(path: Path) -> Schedule:
    """Raises OSError, or msgspec.DecodeError for what is no schedule."""
    schedule = msgspec.json.decode(path.read_bytes(), type=Schedule)
    unknown = {event.kind for event in schedule.events} - set(EVENTS)
    if unknown:
        raise msgspec.ValidationError(f"there are no faults called {', '.join(sorted(unknown))}")
    return schedule


def draw(plan: Plan) -> Schedule:
    """The schedule of a plan. Each kind has a chance of its own: without one, others stay."""
    events = [event for kind in EVENTS for event in _draw_kind(plan, kind)]
    return Schedule(plan, sorted(events, key=lambda event: (event.at, event.kind)))


def _draw_kind(plan: Plan, kind: str) -> Iterator[Event]:
    chance = random.Random(f"{plan.seed} {kind}")  # noqa: S311 - to be repeated, not to be secret
    rate = plan.mix.get(kind, 0.0) / 60
    at = chance.expovariate(rate) if rate else plan.seconds
    while at < plan.seconds:
        seconds = chance.uniform(*EVENTS[kind].lasts)
        event = Event(
            # What would outlast the run comes earlier.
            at=round(min(at, plan.seconds - seconds), 3),
            kind=kind,
            seconds=round(seconds, 3),
            pick=round(chance.random(), 6),
            bytes=int(2 ** chance.uniform(0, LARGEST_CUT)),
            up=chance.random() < 0.5,
            reset=chance.random() < 0.5,
        )
        if event.at >= 0:
            yield event
        at += chance.expovariate(rate)
