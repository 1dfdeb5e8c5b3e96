"""Which batches are looked at and when, oldest open calls first, each read in its turn. Pure."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool_ledger.writes.follow_calls import allow_follow
from callspool_worker.decisions.answers import Answered, code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from callspool_ledger.writes import Ledger
    from callspool_ledger.writes.follow_calls import FollowPass, Unit
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.proving.api_lists import Get


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
    """A walk over batches, the oldest first: which one is looked at next, and when a pass ends."""

    def __init__(self, units: Sequence[Unit], memories: Mapping[int, UnitMemory]) -> None:
        self._units = units
        self._memories = memories
        self._at = 0
        self._silent = 0

    def next_unit(self, now_ms: int) -> Unit | None:
        """Returns the next batch to look at; None where the pass ends.

        One that is not due yet counts by what its last look showed.
        """
        while self._at < len(self._units) and self._silent < SILENT_IN_A_ROW:
            unit = self._units[self._at]
            self._at += 1
            memory = self._memories[unit.batch]
            if memory.next_ms <= now_ms:
                return unit
            self.note(memory, has_news=memory.silent == 0 and bool(unit.memory))
        return None

    def note(self, memory: UnitMemory, *, has_news: bool) -> None:
        """Takes note of what a look at the last batch showed, or its look before."""
        if has_news:
            self._silent = 0
        elif not (memory.is_stuck or memory.waits):
            self._silent += 1

    @property
    def walked(self) -> Sequence[Unit]:
        """The batches up to the frontier."""
        return self._units[: self._at]

    @property
    def younger(self) -> Sequence[Unit]:
        """The batches behind it."""
        return self._units[self._at :]


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
    return msgspec.structs.replace(memory, next_ms=next_ms, gap=gap, silent=silent)


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


LONGEST_TURN = 5.0
"""Seconds that a pass waits for its turn to read; for longer it ends."""

SCARCE = 2
"""Requests that an API takes yet at which following leaves them to sending."""

_CODES = frozenset({200, 206, 400, 401, 403, 404, 429, 500, 502, 503, 504})


MOST_READS = 100
"""Reads of one pass: then other spaces have their turn."""


class PassEnded(Exception):  # noqa: N818 - no fault
    """A pass is to end here: a proof goes first, or the API wants no more reads for a while.

    ``is_turn_over``: it has read its share, and goes on as soon as others have had theirs.
    """

    def __init__(self, *, is_turn_over: bool = False) -> None:
        self.is_turn_over = is_turn_over
        super().__init__()


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """How this process follows. ``accounts``: those whose spaces it can read; ``max_rate``: reads a
    second for each; ``outcomes``: word of a call's status → outcome.
    """

    accounts: tuple[str, ...]
    times: FollowTimes
    max_rate: float
    outcomes: Mapping[str, str]


class ReadTurns:
    """Reads of one pass, each in its turn: proofs and sending go first."""

    def __init__(
        self,
        ledger: Ledger,
        home: Ledger,
        get: Get,
        how: FollowSettings,
        sleep: Callable[[float], object],
        follower: str,
        space: FollowPass,
    ) -> None:
        self._ledger = ledger
        self._home = home
        self._get = get
        self._how = how
        self._sleep = sleep
        self._follower = follower
        self._space = space
        self.counted: Counter[str] = Counter()
        """Answers by code."""

    def read(self, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        """Reads in its turn. Raises `PassEnded` where none comes soon, or a proof goes first."""
        if self.counted.total() >= MOST_READS:
            raise PassEnded(is_turn_over=True)
        self._wait()
        answer = self._get(path, query)
        code = code_of(answer) if isinstance(answer, Answered) else 0
        self.counted[str(code) if code in _CODES else "other" if code else "none"] += 1
        if isinstance(answer, Answered):
            self._heed(answer, code)
        return answer

    def _heed(self, answer: Answered, code: int) -> None:
        """Rests where the API is short of requests, so that sending has them."""
        if code == 429:
            self._ask(rest=answer.retry_after or self._how.times.gap)
            raise PassEnded
        if answer.quota is not None and answer.quota.left <= SCARCE:
            self._ask(rest=answer.quota.seconds)

    def _wait(self) -> None:
        while True:
            keep = self._ledger.calls.keep_following(self._follower, self._space.key)
            if self._ledger.run([keep]) != [1]:
                raise PassEnded
            seconds = self._ask()
            if seconds <= 0:
                return
            if seconds > max(LONGEST_TURN, 2 / self._how.max_rate) or self._sleep(seconds):
                raise PassEnded

    def _ask(self, rest: float = 0.0) -> float:
        """Seconds until a read may begin; with ``rest`` none begins for so long."""
        rest_ms = math.ceil(rest * 1000)
        step = allow_follow(self._space.account, self._how.max_rate, rest_ms)
        (wait,) = self._home.run([step])
        return wait / 1000 if isinstance(wait, int) else 0.0
