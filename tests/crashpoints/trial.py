"""Which points are tried, and what is said of those that failed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.crashpoints.knife import Point, Step
from tests.crashpoints.scenarios import Scenario
from tests.crashpoints.world import NotReachedError, World

WANTED = "CALLSPOOL_CRASH_POINTS"
"""``all``, or the points to play, as a failure names them; otherwise those of the gate."""

READS = {
    "CONFIG", "GET", "HGET", "HGETALL", "HMGET", "LRANGE", "SCARD", "SMEMBERS", "WAITAOF",
    "XPENDING", "ZRANGE", "lookup",
}  # fmt: skip

SEED = 20_261_122
TURNS = 3
"""Plays until a point counts as one that is never reached: how often is looked depends on time."""

SECOND_CRASHES = 5
SECOND_CRASHES_OF_ALL = 50
"""Plays of a scenario in which whoever takes over dies as well."""


@dataclass
class Trial:
    """One play with its crashes. ``recovery``: the steps of the last worker, once it was played."""

    points: tuple[Point, ...]
    seen_dying: bool
    recovery: list[Step] = field(default_factory=list)

    def failure(self, world: World) -> str | None:
        """Plays it; what was wrong in the end, if anything."""
        for turn in range(TURNS):
            try:
                self.recovery = world.play(self.points, seen_dying=self.seen_dying)[-1]
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
    found = _points_of(steps)
    if wanted != "all":
        found = [found[0], *(point for point in found if changes_the_world(point))][::one_in]
    return [Trial((point,), bool(place % 2)) for place, point in enumerate(found)]


def changes_the_world(point: Point) -> bool:
    """Whether the world is another one after it than at the point before.

    Before a step it is as it was after the one before, and no read changes it; signs of life
    change it once.
    """
    last = point.name.split(" + ")[point.done - 1]
    if last == "report" and point.time > 1:
        return False
    return point.done > 0 and last.partition(" ")[0] not in READS


def second_crashes(scenario: Scenario, played: Sequence[Trial]) -> list[Trial]:
    """Some trials in which the worker that takes over dies as well, anywhere."""
    wanted = os.environ.get(WANTED, "")
    recovered = [trial for trial in played if trial.recovery]
    if wanted not in ("", "all") or not recovered:
        return []
    dice = random.Random(f"{SEED} {scenario.name}")
    chosen = dice.choices(recovered, k=SECOND_CRASHES_OF_ALL if wanted else SECOND_CRASHES)
    return [
        Trial((*first.points, dice.choice(_points_of(first.recovery))), first.seen_dying)
        for first in chosen
    ]


def _points_of(steps: Iterable[Step]) -> list[Point]:
    return [point for step in steps for point in step.points()]
