"""Reading the API's lists: whatever they hold, only what has the expected shape counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from callspool.request.text import MAX_WORD_BYTES
from callspool_worker.decisions.reply import is_id
from callspool_worker.proving.records import RunSeen, TaskSeen
from callspool_worker.sending.body import MARK_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_MARK = 100

LONGEST_NAME = MAX_WORD_BYTES + 1
"""Characters of a document's name that are kept: one more than any of ours has."""

FARTHEST_ZONE = 16 * 3600.0
"""Seconds between an id's time and ``created`` that zones may explain, and wrong clocks."""

_LONGEST_TIME = 64
_UUID_1 = re.compile(
    r"[A-Za-z]?([0-9a-f]{8})-?([0-9a-f]{4})-?1([0-9a-f]{3})-?[89ab][0-9a-f]{3}-?([0-9a-f]{12})"
)
_UUID_EPOCH = 0x01B21DD213814000
"""1970 in the steps of version-1 UUIDs, 100 ns each."""

_PLAUSIBLE = range(1_420_000_000, 7_000_000_000)
"""Seconds since 1970 that an id without ``created`` is believed: 2015 and the next centuries."""


def run_seen(entry: object) -> RunSeen | None:
    """One entry of the list of runs (D); None if it names no run."""
    if not isinstance(entry, dict) or not is_id(entry.get("run_id")):
        return None
    created, zoned = moment(entry.get("created"))
    made, node = time_of_id(entry["run_id"], created)
    return RunSeen(entry["run_id"], created, zoned, _whole(entry.get("batch_count")), made, node)


def time_of_id(word: str, created: float | None) -> tuple[float | None, int | None]:
    """The UTC time that an id holds, and which server made it; (None, None) if it holds none.

    Ids that only look like version-1 UUIDs disagree with ``created`` by centuries.
    """
    found = _UUID_1.fullmatch(word)
    if found is None:
        return None, None
    low, middle, high, node = found.groups()
    seconds = (int(high + middle + low, 16) - _UUID_EPOCH) / 10_000_000
    agrees = (
        int(seconds) in _PLAUSIBLE if created is None else abs(seconds - created) <= FARTHEST_ZONE
    )
    return (seconds, int(node, 16)) if agrees else (None, None)


def task_seen(entry: object) -> TaskSeen | None:
    """One entry of a list of tasks (D, O); None if it names no task."""
    if not isinstance(entry, dict) or not is_id(entry.get("task_id")):
        return None
    given, output = entry.get("input"), entry.get("output")
    document: Mapping[str, object] = given if isinstance(given, dict) else {}
    mark, tag = _mark(document.get(MARK_FIELD))
    names = [_word(document.get("document_id")), _word(entry.get("ref_id"))]
    first, second, *_ = [*dict.fromkeys(name for name in names if name), None, None]
    return TaskSeen(
        entry["task_id"],
        first,
        mark,
        tag,
        second,
        has_input="contact_number" in document,
        follows=isinstance(output, dict) and bool(output.get("referenced_task")),
    )


def moment(value: object) -> tuple[float | None, bool]:
    """A time of the API, in seconds since 1970, and whether it names its zone.

    Without a zone (D shows both) it is taken as UTC.
    """
    if not isinstance(value, str):
        return None, False
    try:
        found = datetime.fromisoformat(value[:_LONGEST_TIME].strip())
    except ValueError:
        return None, False
    zoned = found.tzinfo is not None
    return (found if zoned else found.replace(tzinfo=UTC)).timestamp(), zoned


def _mark(value: object) -> tuple[str | None, str | None]:
    """The attempt's name and the scope's tag; of a mark that is none of ours, the whole of it."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_MARK:
        return None, None
    parts = value.split("-")
    return ("-".join(parts[:2]), parts[2]) if len(parts) == 3 else (value, None)


def _word(value: object) -> str | None:
    """An id, which other systems may have written as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:LONGEST_NAME]
    return value[:LONGEST_NAME] if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 1 << 63 else None
