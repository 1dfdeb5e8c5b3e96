"""Reading tasks for what they show of their calls: whatever they hold, nothing else is kept."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from callspool_worker.decisions.call_outcome import LATEST, TaskCall, normalise_word
from callspool_worker.proving.records import moment, task_seen

if TYPE_CHECKING:
    from callspool_worker.proving.records import TaskSeen

LONGEST_WORD = 40
"""Characters of a status or reason; anything longer is a text, and may name somebody."""

OTHER = "other"
"""What stands for a status or reason that is no plain word."""

_WORD = re.compile(r"[a-z](?:[a-z.]|-(?=[a-z0-9])|\d(?!\d{3}))*")
_MILLISECONDS = 100_000_000_000
"""From there on a time is told in milliseconds."""


def call_seen(entry: object) -> tuple[TaskSeen, TaskCall] | None:
    """Returns whose task an entry of a list is, and its call; None if it names no task."""
    task = task_seen(entry)
    if task is None or not isinstance(entry, dict):
        return None
    output = entry.get("output")
    shown: dict[object, object] = output if isinstance(output, dict) else {}
    follows = shown.get("referenced_task")
    call = TaskCall(
        task_id=task.task_id,
        status=_read_word(entry.get("status")),
        call_status=_read_word(shown.get("call_status")),
        end_reason=_read_word(shown.get("call_end_reason")),
        started=_read_time(shown.get("start_time")),
        ended=_read_time(shown.get("end_time")),
        duration=_read_seconds(shown.get("duration")),
        call_id=_read_id(shown.get("call_id")),
        is_evaluated=bool(shown.get("post_call_data")),
        follows=(follows if isinstance(follows, str) else OTHER) if task.follows else None,
    )
    return task, call


def _read_word(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        return ""
    word = normalise_word(value[: 4 * LONGEST_WORD])
    return word if len(word) <= LONGEST_WORD and _WORD.fullmatch(word) else OTHER


def _read_id(value: object) -> str:
    return str(value)[:100] if isinstance(value, str | int) and value else ""


def _read_time(value: object) -> float | None:
    number = _read_number(value)
    if number is None:
        return moment(value)[0]
    return number / 1000 if number >= _MILLISECONDS else number


def _read_seconds(value: object) -> float:
    return _read_number(value) or 0.0


def _read_number(value: object) -> float | None:
    """Returns a number that may be written as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 <= number <= 1000 * LATEST else None
