"""One look at the calls of a batch: the pages that matter, and what their tasks show of calls."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from callspool_ledger.reads.views import CallRecord
from callspool_worker.decisions.call_outcome import (
    LATEST,
    TaskCall,
    is_outdone,
    judge_calls,
    normalise_word,
)
from callspool_worker.following.frontier import Failure, plan_final
from callspool_worker.proving.api_lists import PAGE_SIZE
from callspool_worker.proving.records import moment, task_seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from callspool_ledger.reads.entries import BatchEntry
    from callspool_worker.decisions.call_outcome import CallVerdict
    from callspool_worker.following.frontier import FollowTimes, UnitMemory
    from callspool_worker.proving.api_lists import SpaceReader
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
        started=read_time(shown.get("start_time")),
        ended=read_time(shown.get("end_time")),
        duration=read_seconds(shown.get("duration")),
        call_id=_read_id(shown.get("call_id")),
        is_evaluated=bool(shown.get("post_call_data")),
        follows=(follows if isinstance(follows, str) else OTHER) if task.follows else None,
    )
    return task, call


def read_other_kind(task: object) -> str:
    """Returns what a task is if it is no call, as its `execution_type` says; else nothing (R)."""
    kind = _read_word(task.get("execution_type")) if isinstance(task, dict) else ""
    return "" if kind == "call" else kind


def _read_word(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        return ""
    word = normalise_word(value[: 4 * LONGEST_WORD])
    return word if len(word) <= LONGEST_WORD and _WORD.fullmatch(word) else OTHER


def _read_id(value: object) -> str:
    return str(value)[:100] if isinstance(value, str | int) and value else ""


def read_time(value: object) -> float | None:
    """Returns a time that the API tells, in seconds since 1970; None for anything else."""
    number = _read_number(value)
    if number is None:
        return moment(value)[0]
    return number / 1000 if number >= _MILLISECONDS else number


def read_seconds(value: object) -> float:
    """Returns a span that the API tells in seconds, 0 for anything else."""
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


MOST_PAGES = 60
"""Pages of one run's tasks that are read in one look, at most."""

MOST_STRANGERS = 1000
"""Tasks that the ledger does not know which one look hands on, at most."""


@dataclass(slots=True)
class TasksRead:
    """What was read of a batch's runs: place → its tasks, and what belongs to none.

    ``strangers``: tasks that no request of ours is known to have made, with their run. ``kind``:
    what the tasks are if they are no calls.
    ``pages``: place of a call that was open → its run, and the page that its task stands on.
    """

    calls: dict[int, list[TaskCall]] = field(default_factory=dict)
    strangers: list[tuple[str, TaskSeen, TaskCall]] = field(default_factory=list)
    pages: dict[int, tuple[str, int]] = field(default_factory=dict)
    kind: str = ""

    def add_own(
        self, run_id: str, tasks: Mapping[str, int], fresh: Sequence[tuple[TaskSeen, TaskCall]]
    ) -> None:
        """Takes in tasks that follow no other one."""
        for task, call in fresh:
            if call.task_id in tasks:
                self.calls.setdefault(tasks[call.task_id], []).append(call)
            elif len(self.strangers) < MOST_STRANGERS:
                self.strangers.append((run_id, task, call))


@dataclass(frozen=True, slots=True)
class LookFinding:
    """What a look shows of a batch: place → what is new, and what to remember.

    ``left``: places that stay open. ``final_ms``: what failed counts then, where all that is
    left failed. ``lacks_evaluation``: a completed call was not evaluated yet.
    """

    news: dict[int, tuple[str, CallRecord]]
    memory: UnitMemory
    left: frozenset[int]
    has_news: bool
    final_ms: int | None
    lacks_evaluation: bool


def read_tasks(reader: SpaceReader, entry: BatchEntry, memory: UnitMemory) -> TasksRead:
    """Reads the tasks of a batch's runs as far as they matter. Raises `Unreadable`.

    While calls are open: the pages that held open ones, and others until all are seen. Afterwards:
    all pages, for follow-ups stand anywhere.
    """
    found = TasksRead()
    for run_id, tasks in entry.tasks().items():
        wanted = {one for one, place in tasks.items() if entry.outcome(place) == "open"}
        if wanted or memory.after or not tasks:
            _read_run(reader, run_id, tasks, wanted, memory, found)
    return found


def _read_run(
    reader: SpaceReader,
    run_id: str,
    tasks: Mapping[str, int],
    wanted: set[str],
    memory: UnitMemory,
    found: TasksRead,
) -> None:
    is_whole = bool(memory.after) or not tasks
    unseen, known = set(wanted), set[str]()
    follow_ups: list[TaskCall] = []
    first = [] if is_whole else memory.pages.get(run_id, [])
    for number, entries in _pages(reader, run_id, first, believe_count=is_whole):
        shown = {call.task_id: (task, call) for task, call in filter(None, map(call_seen, entries))}
        fresh = [shown[one] for one in shown if one not in known]
        found.kind = found.kind or next(filter(None, map(read_other_kind, entries)), "")
        known |= shown.keys()
        found.pages |= {tasks[one]: (run_id, number) for one in wanted & shown.keys()}
        follow_ups += [call for _, call in fresh if call.follows is not None]
        found.add_own(run_id, tasks, [each for each in fresh if each[1].follows is None])
        unseen -= known
        if not unseen and not is_whole:
            break
    for call in follow_ups:
        if call.follows is not None and call.follows in tasks:
            found.calls.setdefault(tasks[call.follows], []).append(call)


def _pages(
    reader: SpaceReader, run_id: str, first: Sequence[int], *, believe_count: bool
) -> Iterator[tuple[int, list[object]]]:
    """Yields the pages of a run's tasks, those first that are named, until there are no more.

    ``believe_count``: a first page as long as the list says it is is all of it.
    """
    longest, last = 0, MOST_PAGES
    for number in dict.fromkeys([*first, *range(1, MOST_PAGES + 1)]):
        if number > last:
            continue
        page = reader.task_page(run_id, number)
        entries = page.entries if page else []
        longest = max(longest, len(entries))
        if len(entries) < min(longest, PAGE_SIZE) or not entries:
            last = number
        if believe_count and page and page.count == len(entries) < PAGE_SIZE:
            last = number
        if entries:
            yield number, entries


def judge_batch(
    entry: BatchEntry,
    found: TasksRead,
    memory: UnitMemory,
    outcomes: Mapping[str, str],
    now_ms: int,
    times: FollowTimes,
    *,
    is_lost: bool,
) -> LookFinding:
    """Returns what a look shows: outcomes, failures that may yet ring again, what changed.

    ``is_lost``: sight is lost of what is still open.
    """
    news: dict[int, tuple[str, CallRecord]] = {}
    failed: dict[str, Failure] = {}
    left, has_news, lacks_evaluation = set[int](), False, False
    for place, letter in enumerate(entry.states):
        before = entry.outcome(place) if letter == "c" else None
        if before is None:
            continue
        calls = found.calls.get(place, [])
        failure, rings = _look_at_failure(calls, memory.failed.get(str(place)), now_ms)
        verdict = judge_calls(
            calls,
            outcomes,
            is_failure_final=failure is not None
            and failure.since_ms + times.failure * 1000 <= now_ms,
            earlier_rings=rings,
        )
        lacks_evaluation = lacks_evaluation or verdict.lacks_evaluation
        if verdict.outcome == "open":
            if before == "open" and not (is_lost and not _is_scheduled(calls)):
                left.add(place)
                if failure is not None:
                    failed[str(place)] = failure
                    has_news = has_news or memory.failed.get(str(place)) != failure
            elif before == "open":
                news[place] = "lost_sight", CallRecord()
            continue
        if is_outdone(verdict, before, entry.call(place)):
            continue
        record = _keep_rings(verdict, entry.call(place), _rings_logged(entry, place))
        if before != verdict.outcome or record != entry.call(place):
            news[place] = verdict.outcome, record
            has_news = has_news or before != verdict.outcome
    pages: dict[str, list[int]] = {}
    for run, page in sorted({found.pages[place] for place in left & found.pages.keys()}):
        pages.setdefault(run, []).append(page)
    is_all_failed = bool(left) and len(failed) == len(left)
    return LookFinding(
        news,
        msgspec.structs.replace(memory, failed=failed, pages=pages, waits=is_all_failed),
        frozenset(left),
        has_news,
        round(plan_final([one.since_ms / 1000 for one in failed.values()], times) * 1000)
        if is_all_failed
        else None,
        lacks_evaluation,
    )


def _look_at_failure(
    calls: Sequence[TaskCall], before: Failure | None, now_ms: int
) -> tuple[Failure | None, int]:
    """Returns since when a call of ours has failed as it is seen, and its rings before this one.

    One that rang again begins anew; None where it never failed.
    """
    own = [call for call in calls if call.follows is None]
    failures = sorted(call.fingerprint for call in own if call.status == "failed")
    rings = before.rings + 1 if before else 0
    if not failures:
        return before, rings
    mark = ";".join(failures)
    if before is not None and before.fingerprint == mark:
        return before, before.rings
    return Failure(mark, now_ms, rings), rings


def _is_scheduled(calls: Sequence[TaskCall]) -> bool:
    """Whether the API says that a call is still to come, however long ago it was created."""
    return any(call.status == "scheduled" for call in calls)


def _rings_logged(entry: BatchEntry, place: int) -> int:
    """Returns how often the call log shows that a document's number rang, while it is followed."""
    return int.from_bytes(entry.fields.get("yr", b"")[place : place + 1])


def _keep_rings(verdict: CallVerdict, before: CallRecord | None, logged: int) -> CallRecord:
    rings = max(logged, before.rings if before else 0)
    return replace(verdict.record, rings=max(rings, verdict.record.rings))


FAULTS_IN_A_ROW = 3
"""Times that a batch cannot be read until it holds up others no more."""

MOST_REMEMBERED = 10_000
"""Batches and spaces of which faults are remembered."""


class BatchFaults:
    """Batches that could not be read lately, and spaces of which that was said."""

    def __init__(self) -> None:
        self._in_a_row: Counter[int] = Counter()
        self._said = set[str]()

    def is_last(self, batch: int) -> bool:
        """Counts one more; whether the batch must not hold up others any longer."""
        if len(self._in_a_row) > MOST_REMEMBERED:
            self._in_a_row.clear()
        self._in_a_row[batch] += 1
        return self._in_a_row[batch] >= FAULTS_IN_A_ROW

    def forget_batch(self, batch: int) -> None:
        """It could be read."""
        self._in_a_row.pop(batch, None)

    def is_news(self, space: str) -> bool:
        """Whether it was not said of a space before."""
        is_news = space not in self._said
        if len(self._said) < MOST_REMEMBERED:
            self._said.add(space)
        return is_news
