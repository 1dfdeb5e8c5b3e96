"""Reads of one pass, each in its turn, in the rate that all workers share."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callspool_ledger.writes.account_calls import allow_follow
from callspool_worker.decisions.answers import Answered, code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callspool_ledger.writes import Ledger
    from callspool_ledger.writes.follow_calls import FollowPass
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.following.frontier import FollowTimes
    from callspool_worker.proving.api_lists import Get

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
    second for each; ``outcomes``: word of a call's status → outcome; ``windows``: where windows of
    time are read, as the setting says.
    """

    accounts: tuple[str, ...]
    times: FollowTimes
    max_rate: float
    outcomes: Mapping[str, str]
    windows: str = "probe"


class ReadTurns:
    """Reads of one pass, each in its turn: proofs and sending go first. ``clock``: in seconds."""

    def __init__(
        self,
        ledger: Ledger,
        home: Ledger,
        get: Get,
        how: FollowSettings,
        sleep: Callable[[float], object],
        follower: str,
        space: FollowPass,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._home = home
        self._get = get
        self._how = how
        self._sleep = sleep
        self._follower = follower
        self._space = space
        self._clock = clock
        self.took = 0.0
        """Seconds that the last read took, without the wait for its turn."""
        self.counted: Counter[str] = Counter()
        """Answers by code."""

    def read(self, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        """Reads in its turn. Raises `PassEnded` where none comes soon, or a proof goes first."""
        if self.counted.total() >= MOST_READS:
            raise PassEnded(is_turn_over=True)
        self._wait()
        begun = self._clock()
        answer = self._get(path, query)
        self.took = self._clock() - begun
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
