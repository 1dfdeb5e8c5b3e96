"""Which batches are looked at and when, oldest open calls first, each read in its turn. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool_ledger.writes.follow_calls import Unit


SILENT_IN_A_ROW = 3
"""Batches without news after which a pass ends: those behind them are younger still."""

SILENT_FOR_GOOD = 4
"""Looks without news after which a batch is looked at apart, and holds up none behind it."""


@dataclass(frozen=True, slots=True)
class FollowTimes:
    """When to look, in seconds; all but ``lost_after`` are multiples of ``gap``.

    ``gap``: between two looks at a batch, at least. ``lost_after``: from its creation on, until an
    open call counts as lost sight of.
    """

    gap: float
    lost_after: float

    @property
    def first(self) -> float:
        """From a creation to the first look."""
        return self.gap / 5

    @property
    def longest(self) -> float:
        """Between two looks at a batch, at most."""
        return 4 * self.gap

    @property
    def younger(self) -> float:
        """Between two looks at a batch by chance, of those behind the frontier."""
        return self.gap / 15

    @property
    def log(self) -> float:
        """Between two reads of an account's call log."""
        return max(self.younger, 1.0)

    @property
    def patience(self) -> float:
        """From a ring's end in the call log to the look at its batch: more may end by then."""
        return self.gap / 3

    @property
    def failure(self) -> float:
        """How long what failed stays unchanged until it counts: until then it may ring again."""
        return 8 * self.gap

    @property
    def evaluation(self) -> float:
        """Until a completed call is looked at once more that was not evaluated yet."""
        return 2 * self.gap

    @property
    def follow_ups(self) -> float:
        """Until calls that ended are looked at once more for follow-ups."""
        return 96 * self.gap

    @property
    def search(self) -> float:
        """From a creation to the search that looks for follow-ups: they have ended by then."""
        return self.failure + 2 * self.gap


class Failure(NamedTuple):
    """A failed call as earlier looks saw it: unchanged since when (ms), rings until then."""

    fingerprint: str
    since_ms: int
    rings: int


class UnitMemory(msgspec.Struct, omit_defaults=True):
    """What is remembered of a batch between looks.

    ``next_ms``: no look before that. ``silent``: looks in a row without news. ``pages``: the pages
    of a run's tasks that held open ones. ``failed``: place → a failed call as it was seen last.
    ``after``: why it is looked at once more after its calls ended: evaluation or follow_ups.
    ``waits``: all that is open failed, and counts once it has been unchanged for long enough.
    """

    next_ms: int = 0
    gap: float = 0.0
    silent: int = 0
    pages: dict[str, list[int]] = {}
    failed: dict[str, Failure] = {}
    after: str = ""
    waits: bool = False

    @property
    def is_stuck(self) -> bool:
        """Whether it has been silent for so long that it says nothing about others."""
        return self.silent >= SILENT_FOR_GOOD


_decode = msgspec.json.Decoder(UnitMemory).decode


def recall_unit(unit: Unit, times: FollowTimes) -> UnitMemory:
    """Returns what is remembered of a batch; of one that was never looked at, when that is due."""
    try:
        return _decode(unit.memory) if unit.memory else _begin_memory(unit, times)
    except msgspec.DecodeError:
        return _begin_memory(unit, times)


def _begin_memory(unit: Unit, times: FollowTimes) -> UnitMemory:
    return UnitMemory(next_ms=unit.since_ms + round(times.first * 1000))


class Frontier:
    """A walk over batches, the oldest first: which are looked at next, and when a pass ends.

    ``groups``: batches that are looked at together, as a rule one.
    """

    def __init__(
        self, groups: Sequence[Sequence[Unit]], memories: Mapping[int, UnitMemory]
    ) -> None:
        self._groups = groups
        self._memories = memories
        self._at = 0
        self._silent = 0

    def is_due(self, group: Sequence[Unit], now_ms: int) -> bool:
        """Whether half of a group is due, so that it is looked at."""
        due = sum(self._memories[unit.batch].next_ms <= now_ms for unit in group)
        return 2 * due >= len(group)

    def next_group(self, now_ms: int) -> Sequence[Unit] | None:
        """Returns the next batches to look at; None where the pass ends.

        A group that is not due counts by what its last look showed.
        """
        while self._at < len(self._groups) and self._silent < SILENT_IN_A_ROW:
            group = self._groups[self._at]
            self._at += 1
            if self.is_due(group, now_ms):
                return group
            known = [(unit, self._memories[unit.batch]) for unit in group]
            was_news = any(unit.memory and memory.silent == 0 for unit, memory in known)
            self.note(group, has_news=was_news)
        return None

    def note(self, group: Sequence[Unit], *, has_news: bool) -> None:
        """Takes note of what a look at these batches showed, or their look before."""
        known = [self._memories[unit.batch] for unit in group]
        if has_news:
            self._silent = 0
        elif not all(memory.is_stuck or memory.waits for memory in known):
            self._silent += 1

    @property
    def walked(self) -> Sequence[Unit]:
        """The batches up to the frontier."""
        return [unit for group in self._groups[: self._at] for unit in group]

    @property
    def younger(self) -> Sequence[Sequence[Unit]]:
        """The groups behind it."""
        return self._groups[self._at :]


def plan_final(failures: Sequence[float], times: FollowTimes) -> float:
    """Returns when a look is worth while that counts failures as final; of these seconds.

    It waits up to a gap longer than for the first one, so that one look is enough for more.
    """
    return min(max(failures), min(failures) + times.gap) + times.failure


def plan_look(
    memory: UnitMemory,
    now_ms: int,
    times: FollowTimes,
    *,
    has_news: bool,
    final_ms: int | None = None,
    heeds_log: bool = False,
) -> UnitMemory:
    """Returns what is remembered after a look: the gap doubles while nothing new ended.

    ``final_ms``: all that is open failed, and counts then (`plan_final`); None otherwise.
    ``heeds_log``: the call log says where something rings again meanwhile.
    """
    gap = times.gap if has_news else min(max(2 * memory.gap, times.gap), times.longest)
    next_ms = now_ms + round(gap * 1000)
    if final_ms is not None and (heeds_log or not has_news):
        next_ms = max(next_ms, final_ms)
    silent = 0 if has_news else memory.silent + 1
    return msgspec.structs.replace(memory, next_ms=next_ms, gap=gap, silent=silent, after="")


def plan_apart(memory: UnitMemory, now_ms: int) -> float | None:
    """Returns the seconds until a batch with open calls is looked at apart from the frontier.

    None for one that stays there: its calls may go out any moment.
    """
    if memory.waits or memory.is_stuck:
        return max(0, memory.next_ms - now_ms) / 1000
    return None


def plan_pass(
    frontier: Frontier, memories: Mapping[int, UnitMemory], now_ms: int, times: FollowTimes
) -> float:
    """Returns the seconds until the next pass over a space is worth while."""
    due = [memories[unit.batch].next_ms for unit in frontier.walked]
    pause = (min(due) - now_ms) / 1000 if due else times.gap
    if frontier.younger:
        pause = min(pause, times.younger)
    return min(max(pause, times.younger / 4), times.gap)


def plan_last_looks(
    memory: UnitMemory, times: FollowTimes, *, lacks: bool
) -> tuple[UnitMemory, float | None]:
    """Returns what is remembered of a batch whose calls ended, and seconds until the next look.

    It is looked at once more where an evaluation is missing (``lacks``), and once for follow-ups.
    """
    if memory.after == "follow_ups":
        return UnitMemory(), None
    if lacks and not memory.after:
        return UnitMemory(after="evaluation"), times.evaluation
    return UnitMemory(after="follow_ups"), times.follow_ups
