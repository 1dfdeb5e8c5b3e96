"""Columns that callspool itself put beside those of a list: no part of a contact."""

import re
from collections.abc import Sequence

from callspool.request.text import clean

REJECT_COLUMNS = ("callspool_file", "line", "reason")
"""The last columns of a file of rejects; the first may be absent."""
LEFT_OUT_BEFORE = "left out: "
"""How the reason of a row begins that must not be called when its rejects are sent again."""
STILL_LEFT_OUT = f"{LEFT_OUT_BEFORE}it was before, too; empty its reason to have it called"


def own_places(headers: Sequence[str]) -> range:
    """Returns the places of the columns that a file of rejects has besides those of the list."""
    last = [clean(header) for header in headers[-3:]]
    if tuple(last) == REJECT_COLUMNS:
        return range(len(headers) - 3, len(headers))
    is_own = tuple(last[-2:]) == REJECT_COLUMNS[1:]
    return range(len(headers) - 2 * is_own, len(headers))


ANSWERS = (
    "state",
    "reason",
    "document_id",
    "run_id",
    "task_id",
    "attempts",
    "accepted_at",
    "settled_at",
    "outcome",
    "call_status",
    "end_reason",
    "started_at",
    "ended_at",
    "duration",
    "rings",
    "duplicate_of",
    "line",
)
"""The columns that `results` adds to those of the list."""
ANSWERED_FILE = "file"
"""The column that it adds after them where there are several files."""

_ANSWERED_ID = ANSWERS.index("document_id")
_PREFIXED = re.compile(rf"callspool_({'|'.join((*ANSWERS, ANSWERED_FILE))})(?:_[0-9]+)?")


def answer_header(name: str, number: int) -> str:
    """Returns the header of an answer whose own name is taken; ``number`` counts from 1."""
    return f"callspool_{name}" + (f"_{number}" if number > 1 else "")


def find_answers(headers: Sequence[str]) -> tuple[set[int], list[int]]:
    """Returns the places of the columns that `results` added, and of those that hold an id.

    Ours are those whose names begin with ``callspool_``, and, since a name may be free in the list,
    all of them where they stand side by side in their order.
    """
    named = [_PREFIXED.fullmatch(header) for header in headers]
    names = [found[1] if found else header for found, header in zip(named, headers, strict=True)]
    answers = {place for place, found in enumerate(named) if found}
    ids = {place for place in answers if names[place] == ANSWERS[_ANSWERED_ID]}
    for start in range(len(headers) - len(ANSWERS) + 1):
        end = start + len(ANSWERS)
        if tuple(names[start:end]) == ANSWERS:
            answers.update(range(start, end))
            ids.add(start + _ANSWERED_ID)
            if names[end : end + 1] == [ANSWERED_FILE]:
                answers.add(end)
    return answers, sorted(ids)
