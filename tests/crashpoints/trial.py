"""Which points are tried, and what is said of those that failed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.crashpoints.knife import Point, Step
from tests.crashpoints.world import NotReachedError, World

WANTED = "CALLSPOOL_CRASH_POINTS"
"""``all``, or the points to play, as a failure names them; otherwise those of the gate."""

READS = {"GET", "HGET", "HGETALL", "HMGET", "LRANGE", "SMEMBERS", "XPENDING", "ZRANGE", "lookup"}

SEED = 20_261_122
TURNS = 3
"""Plays until a point counts as one that is never reached: how often is looked depends on time."""

SECOND_CRASHES = 5
SECOND_CRASHES_OF_ALL = 100
"""Plays of a scenario in which whoever takes over dies as well."""


@dataclass(frozen=True)
class Trial:
    """One play with its crashes."""

    points: tuple[Point, ...]
    seen_dying: bool

    def failure(self, world: World) -> str | None:
        """Plays it; what was wrong in the end, if anything."""
        for turn in range(TURNS):
            try:
                world.play(self.points, seen_dying=self.seen_dying)
            except NotReachedError as fault:
                if turn == TURNS - 1:
                    return self._told(world, str(fault))
            except AssertionError as fault:  # the world's own, or of what holds for every ledger
                return self._told(world, str(fault))
            else:
                break
        return None

    def _told(self, world: World, reason: str) -> str:
        code = " > ".join(point.code for point in self.points)
        where = "; then ".join(map(str, self.points))
        end = "its supervisor saw it" if self.seen_dying else "its lease ended"
        return (
            f"{world.scenario.name}: cut {where} ({end}): {reason}\n"
            f"    again: {WANTED}='{code}' pytest tests/crashpoints -k {world.scenario.id}"
        )


def first_crashes(steps: Iterable[Step], one_in: int) -> list[Trial]:
    """The trials of all points of these steps that are wanted here."""
    wanted = os.environ.get(WANTED, "")
    if wanted not in ("", "all"):
        points = tuple(map(Point.parse, wanted.split(" > ")))
        return [Trial(points, seen_dying) for seen_dying in (True, False)]
    found = [point for step in steps for point in step.points()]
    if wanted != "all":
        found = [found[0], *(point for point in found if changes_the_world(point))][::one_in]
    return [Trial((point,), bool(place % 2)) for place, point in enumerate(found)]


def changes_the_world(point: Point) -> bool:
    """Whether the world is another one after it than at the point before.

    Before a step it is as it was after the one before, and no read changes it.
    """
    last = point.name.split(" + ")[point.done - 1]
    return point.done > 0 and last.partition(" ")[0] not in READS


def second_crashes(world: World, trials: Sequence[Trial]) -> Iterator[Trial]:
    """Some trials in which the worker that takes over dies as well, anywhere."""
    wanted = os.environ.get(WANTED, "")
    if wanted not in ("", "all"):
        return
    dice = random.Random(f"{SEED} {world.scenario.name}")
    for _ in range(SECOND_CRASHES_OF_ALL if wanted else SECOND_CRASHES):
        first = dice.choice(trials)
        recovery = world.play(first.points, seen_dying=first.seen_dying)[-1]
        second = dice.choice([point for step in recovery for point in step.points()])
        yield Trial((*first.points, second), first.seen_dying)
