"""What a task, or several with their follow-ups, say of a call: a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callspool_ledger.reads.views import CallRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_RINGS = 255
"""Rings that are counted of one document."""

LATEST = 2**32 - 1
"""Seconds since 1970, and seconds of a call, that are kept at most."""

BETTER = ("reached", "not_reached", "failed", "ended")
"""Outcomes of calls that ended, the one that counts where a document has several first."""


@dataclass(frozen=True, slots=True)
class TaskCall:
    """What a task shows of its call. Words are those of `normalise_word`; "" or None is unknown.

    ``status``: the task's; ``call_status``: the call's. Times in seconds since 1970. ``follows``:
    the task that the platform made it to follow up, None for one that a request of ours made.
    """

    task_id: str
    status: str
    call_status: str = ""
    end_reason: str = ""
    started: float | None = None
    ended: float | None = None
    duration: float = 0.0
    call_id: str = ""
    is_evaluated: bool = False
    follows: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is completed, with a call that ended."""
        return self.status == "completed" and (self.ended is not None or bool(self.end_reason))

    @property
    def has_rung(self) -> bool:
        """Whether it shows a call at all."""
        return bool(self.call_id or self.call_status or self.ended is not None)

    @property
    def fingerprint(self) -> str:
        """A word that is another one once it failed anew."""
        return f"{self.status}|{self.call_id}|{self.call_status}|{self.ended or ''}"


@dataclass(frozen=True, slots=True)
class CallVerdict:
    """What became of a document's call. ``lacks_evaluation``: it completed and may say more."""

    outcome: str
    record: CallRecord
    lacks_evaluation: bool = False


def judge_calls(
    tasks: Sequence[TaskCall],
    outcomes: Mapping[str, str],
    *,
    is_failure_final: bool,
    earlier_rings: int = 0,
) -> CallVerdict:
    """Returns what became of the call of one document, which these tasks were made for.

    ``outcomes``: word of a call's status → outcome. ``is_failure_final``: what failed has been
    unchanged for long enough; before that it may ring again. Whatever is not known to be over is
    open. A follow-up counts once it ended; where somebody was reached, nothing else matters.
    """
    judged = [(_judge_call(task, outcomes, is_failure_final), task) for task in tasks]
    rings = min(MOST_RINGS, earlier_rings + sum(task.has_rung for _, task in judged))
    ended = [(outcome, task) for outcome, task in judged if outcome != "open"]
    own = [outcome for outcome, task in judged if task.follows is None]
    is_reached = any(outcome == "reached" for outcome, _ in ended)
    if not ended or (not is_reached and (not own or "open" in own)):
        return CallVerdict("open", CallRecord(rings=rings))
    outcome, task = min(ended, key=lambda each: (BETTER.index(each[0]), -(each[1].ended or 0.0)))
    record = CallRecord(
        task.call_status,
        task.end_reason,
        rings,
        _clamp(task.started),
        _clamp(task.ended),
        _clamp(task.duration or _seconds_between(task.started, task.ended)),
    )
    lacks = any(each.status == "completed" and not each.is_evaluated for _, each in ended)
    return CallVerdict(outcome, record, lacks)


def is_outdone(verdict: CallVerdict, before: str, kept: CallRecord | None) -> bool:
    """Whether the ledger keeps a later call that ended better: a follow-up that a window showed."""
    return (
        before in BETTER[: BETTER.index(verdict.outcome)]
        and kept is not None
        and kept.ended > verdict.record.ended
    )


def _judge_call(task: TaskCall, outcomes: Mapping[str, str], is_failure_final: bool) -> str:
    if task.is_over:
        return outcomes.get(task.call_status, "ended")
    if task.status == "failed" and is_failure_final:
        return outcomes.get(task.call_status, "failed")
    return "open"


def _seconds_between(started: float | None, ended: float | None) -> float:
    return ended - started if started is not None and ended is not None else 0.0


def _clamp(number: float | None) -> int:
    return int(min(max(number or 0.0, 0.0), LATEST))


def read_outcomes(text: str) -> dict[str, str]:
    """Returns the table that a setting holds: ``word=outcome`` and so on, joined by commas."""
    pairs = (part.partition("=") for part in text.split(","))
    return {normalise_word(word): outcome.strip() for word, _, outcome in pairs}


def normalise_word(text: str) -> str:
    """Returns a status in one of its spellings: ``No Answer`` and ``no_answer`` are the same."""
    return "-".join(text.replace("_", " ").replace("-", " ").lower().split())
