"""The dialler: calls that ring, end, are redialled, evaluated and followed up (O), time compressed.

Nothing rings by itself: each read moves the simulated time on to now, event by event.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callspool_sandbox.fault_files import CallTraits
    from callspool_sandbox.store import StoredRun

MOST_FAULTS = 3
"""How often a call that met a fault goes back to `pending` (O)."""

MOST_REDIALS = 2
"""How often a call that nobody took is dialled again (O)."""

FAULT_PAUSE = 10.0
"""Simulated seconds until a call that met a fault is pending again."""

WORDS = {
    "answered": ("completed", "customer-ended-call"),
    "no_answer": ("no-answer", "customer-did-not-answer"),
    "voicemail": ("voicemail", "voicemail-detected"),
    "fault": ("failed", "provider-fault"),
    "unknown": ("handed-over", "a-word-that-nobody-knows"),
}
"""What became of a ring: call_status and call_end_reason."""


@dataclass(slots=True)
class DialledTask:
    """A task and what became of its rings so far. ``follows``: the place that it follows up, and
    ``made`` when that task was created.
    """

    status: str = "pending"
    faults: int = 0
    redials: int = 0
    rings: int = 0
    ended: str = ""
    """The word of its last ring's end (`WORDS`), "" before the first."""
    ended_at: float = 0.0
    seconds: float = 0.0
    is_evaluated: bool = False
    follows: int | None = None
    made: float = 0.0


@dataclass(slots=True)
class _DialledRun:
    run: StoredRun
    tasks: list[DialledTask] = field(default_factory=list)
    follow_ups: list[int] = field(default_factory=list)
    """The places that were followed up, in that order; their tasks stand behind the documents'."""
    waiting: deque[int] = field(default_factory=deque)
    ringing: int = 0


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring that is over, as the call log tells it."""

    run: StoredRun
    place: int
    word: str
    ended_at: float
    seconds: float


class Dialler:
    """Calls the tasks of all runs. ``traits``: how calls go now; ``speed``: simulated seconds a
    second; ``now``: the server's clock; ``clock``: one that never jumps.
    """

    def __init__(
        self,
        traits: Callable[[], CallTraits],
        speed: float,
        seed: int | None,
        now: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.speed = speed
        self.log: list[Ring] = []
        self._traits = traits
        self._now = now
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._runs: dict[int, _DialledRun] = {}
        self._queue: deque[_DialledRun] = deque()
        self._events: list[tuple[float, int, str, _DialledRun, int]] = []
        self._numbers = 0
        self._ringing = 0
        self._clock = clock
        self._begun = clock()
        self._time = 0.0
        """Simulated seconds since the sandbox was ready, up to the event at hand."""

    def add(self, run: StoredRun, places: range) -> None:
        """Lets new tasks of a run be called."""
        self.advance()
        dialled = self._runs.setdefault(id(run), _DialledRun(run))
        for place in places:
            dialled.tasks.insert(place, DialledTask())
            dialled.waiting.append(place)
        self._queue.append(dialled)
        self._fill()

    def advance(self) -> None:
        """Lets everything happen that was to happen by now."""
        now = (self._clock() - self._begun) * self.speed
        while self._events and self._events[0][0] <= now:
            self._time, _, what, run, index = heapq.heappop(self._events)
            getattr(self, f"_{what}")(run, index)
            self._fill()
        self._time = now

    def tasks(self, run: StoredRun) -> list[DialledTask]:
        """Returns a run's tasks: those of its documents by their places, then the follow-ups."""
        found = self._runs.get(id(run))
        return found.tasks if found else []

    def followed_up(self, run: StoredRun) -> list[int]:
        """Returns the places of a run that were followed up, in that order."""
        found = self._runs.get(id(run))
        return found.follow_ups if found else []

    def output(self, task: DialledTask, call_id: str) -> dict[str, object]:
        """Returns what a task shows of its last ring (D); nothing while there was none."""
        found: dict[str, object] = {}
        if task.status in {"completed", "failed"}:
            status, reason = WORDS[task.ended]
            found |= {
                "call_id": f"{call_id}-{task.rings}",
                "call_type": "outbound",
                "call_status": status,
                "call_end_reason": reason,
                "start_time": _iso(task.ended_at - task.seconds),
                "end_time": _iso(task.ended_at),
                "duration": round(task.seconds),
                "recording_url": "https://example.com/recording.wav",
                "transcript": "Hello. " * (self._traits().transcript_bytes // 7),
                "cost": 0.01,
            }
        if task.is_evaluated:
            summary = {"status": "interested", "summary": "Nobody was called."}
            found["post_call_data"] = {"summary": summary, "classification": {"labels": []}}
        return found

    def _at(self, after: float, what: str, run: _DialledRun, index: int) -> None:
        self._numbers += 1
        heapq.heappush(self._events, (self._time + after, self._numbers, what, run, index))

    def _fill(self) -> None:
        """Dials while lines are free, the oldest run first."""
        traits = self._traits()
        for _ in range(len(self._queue)):
            if self._ringing >= traits.lines:
                return
            dialled = self._queue[0]
            while (
                dialled.waiting
                and self._ringing < traits.lines
                and dialled.ringing < traits.lines_a_run
            ):
                self._dial(dialled, dialled.waiting.popleft())
            if dialled.waiting:
                self._queue.rotate(-1)
            else:
                self._queue.popleft()

    def _dial(self, dialled: _DialledRun, index: int) -> None:
        traits, task = self._traits(), dialled.tasks[index]
        self._ringing += 1
        dialled.ringing += 1
        draw = self._chance.random()
        shares = (
            ("no_answer", traits.no_answer),
            ("voicemail", traits.voicemail),
            ("fault", traits.fault),
            ("unknown", traits.unknown),
        )
        task.ended, task.seconds = "answered", self._chance.uniform(*traits.seconds)
        for word, share in shares:
            if draw < share:
                task.ended = word
                break
            draw -= share
        if task.ended in {"no_answer", "fault"}:
            task.seconds = 0.0
        task.status = "being-dialled" if task.ended == "unknown" else "in_progress"
        self._at(traits.ringing + task.seconds, "end", dialled, index)

    def _end(self, dialled: _DialledRun, index: int) -> None:
        traits, task = self._traits(), dialled.tasks[index]
        self._ringing -= 1
        dialled.ringing -= 1
        task.rings += 1
        task.ended_at = self._now()
        self.log.append(Ring(dialled.run, index, task.ended, task.ended_at, task.seconds))
        if task.ended == "fault":
            task.status = "failed"
            task.faults += 1
            if task.faults <= MOST_FAULTS:
                self._at(FAULT_PAUSE, "again", dialled, index)
        elif task.ended in {"no_answer", "voicemail"}:
            task.status = "failed"
            task.redials += 1
            if task.redials <= MOST_REDIALS:
                self._at(traits.redial_after, "again", dialled, index)
        else:
            task.status = "completed"
            if self._chance.random() >= traits.never_evaluated:
                self._at(traits.evaluated_after, "evaluate", dialled, index)
        if task.follows is None and self._chance.random() < traits.follow_ups:
            self._at(traits.follow_up_after, "follow_up", dialled, index)

    def _again(self, dialled: _DialledRun, index: int) -> None:
        dialled.tasks[index].status = "pending"
        dialled.waiting.append(index)
        self._queue.append(dialled)

    def _evaluate(self, dialled: _DialledRun, index: int) -> None:
        dialled.tasks[index].is_evaluated = True
        if self._traits().run_status == "first":
            dialled.run.status = "completed"

    def _follow_up(self, dialled: _DialledRun, index: int) -> None:
        if len(dialled.tasks) - len(dialled.follow_ups) < dialled.run.batch_count:
            return  # it still grows
        dialled.follow_ups.append(index)
        dialled.tasks.append(DialledTask(follows=index, made=self._now()))
        self._again(dialled, len(dialled.tasks) - 1)


def call_log(rings: list[Ring], number_of: Callable[[Ring], object]) -> Iterator[dict[str, object]]:
    """Yields the rows of the call log (U), newest first: no task, no transcript."""
    for ring in reversed(rings):
        status, reason = WORDS[ring.word]
        yield {
            "to_number": number_of(ring),
            "call_type": "outbound",
            "call_status": status,
            "call_end_reason": reason,
            "start_time": _iso(ring.ended_at - ring.seconds),
            "end_time": _iso(ring.ended_at),
            "duration": round(ring.seconds),
        }


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None).isoformat(timespec="seconds")
