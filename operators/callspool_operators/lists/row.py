"""One `Row` for each row of a file of contacts, and the columns that callspool adds to a list."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from callspool.errors import shown_name
from callspool.request.call_request import Known
from callspool.request.text import clean

_PAGE = 128
_WIDE = 1 << 32
_ENOUGH = 4 * _PAGE
"""Rows from which on pages are made of them."""
LONGEST_ID = 40
"""Characters of an id that are remembered."""


class EarlierRow(NamedTuple):
    """A row that came before: its file, the line on which it starts, and the id that it gave.

    ``document_id`` is cut to `LONGEST_ID` characters, and empty where the row gave none. ``noted``:
    what else was to be remembered of it.
    """

    file: str
    line: int
    document_id: str
    noted: bytes = b""


class _IdPage(NamedTuple):
    """Some rows of one file, the ids one a line: none of them has a line break in it."""

    file: str
    lines: Sequence[int]
    ids: bytes
    noted: bytes


class EarlierRows:
    """Good rows, numbered from 0 in the order in which they were added.

    Some ten bytes, its id, and ``note`` bytes of what else is to be remembered each: rows are kept
    in pages, since each as an object of its own would take ten times as much.
    """

    def __init__(self, note: int = 0) -> None:
        self._note = note
        self._pages: list[_IdPage] = []
        self._starts: list[int] = []
        self._count = 0
        self._file = ""
        self._lines: list[int] = []
        self._ids: list[str] = []
        self._noted: list[bytes] = []
        self._opened: tuple[int, list[str]] = -1, []

    def add(
        self, file: str, lines: Sequence[int], ids: Sequence[str], noted: Sequence[bytes] = ()
    ) -> None:
        """Keeps rows of one file: the line on which each starts, and the id that it gave."""
        if len(self._lines) >= _ENOUGH or file != self._file:
            self._turn_page()
        self._file = file
        self._lines += lines
        self._ids += [document_id[:LONGEST_ID] for document_id in ids]
        self._noted += noted

    def _turn_page(self) -> None:
        for start in range(0, len(self._lines), _PAGE):
            some = slice(start, start + _PAGE)
            lines = self._lines[some]
            ids, noted = "\n".join(self._ids[some]).encode(), b"".join(self._noted[some])
            narrow = array("I" if lines[-1] < _WIDE else "Q", lines)
            self._pages.append(_IdPage(self._file, narrow, ids, noted))
            self._starts.append(self._count + start)
        self._count += len(self._lines)
        self._lines, self._ids, self._noted = [], [], []

    def at(self, number: int) -> EarlierRow:
        """Returns the row with a number."""
        if (place := number - self._count) >= 0:
            noted = self._noted[place] if self._note else b""
            return EarlierRow(self._file, self._lines[place], self._ids[place], noted)
        found = bisect_right(self._starts, number) - 1
        page, place = self._pages[found], number - self._starts[found]
        if self._opened[0] != found:
            self._opened = found, page.ids.decode().split("\n")
        noted = page.noted[place * self._note : (place + 1) * self._note]
        return EarlierRow(page.file, page.lines[place], self._opened[1][place], noted)


class Likeness(Enum):
    """What a row has in common with an earlier one, so that it is its duplicate."""

    CONTACT = "the same contact again"
    NUMBER = "the same number under another id"
    ID = "the same id again"
    REUSED_ID = "the same id with another number"


class Beside(Enum):
    """What a cell held beside its number."""

    NOTE = "a note, which is left out"
    SECOND = "a second number, which became alternate_number"
    OTHER = "nothing, so that the number of another column was taken"


class Row(msgspec.Struct, gc=False):
    """One row of a file, and what is to become of it.

    A row is *good* when it has neither a reason nor is a duplicate; then ``raw`` is the document
    as compact JSON, checked, with its ``document_id``.
    """

    file: str
    """The file's name as it was given; ``-`` for standard input."""
    line: int
    """The line on which the row starts, from 1."""
    text: bytes
    """The row as it stands in the file, line end included, in UTF-8 but for broken bytes."""
    raw: bytes = b""
    reason: str = ""
    """Why the row is refused; empty for a row that is not. Never holds a number or a name."""
    document_id: str = ""
    duplicate: Likeness | None = None
    """What an earlier row had already; None for a row that is no duplicate."""
    earlier: EarlierRow | None = None
    """The row that a duplicate repeats."""
    healed: bool = False
    """Whether the number was written as a spreadsheet writes numbers, and has been put right."""
    without_country: bool = False
    """Whether neither the number nor a region says which country it is of."""
    has_whole_id: bool = False
    """Whether its id is one that `results` wrote, which has its prefix already."""
    beside: Beside | None = None
    """What stood beside the number in its cell, if anything did."""
    known: Known | None = None
    """What is to be checked of a document made of cells; None for one that came as JSON."""
    cells: Sequence[str] = ()
    """The cells of a row of a CSV file, untouched; empty for JSON."""

    @property
    def good(self) -> bool:
        return not self.reason and self.duplicate is None

    @property
    def verdict(self) -> str:
        """Why the row does not go on, empty for a good one: ``duplicate of line 12 (…)``."""
        if self.duplicate is None or self.earlier is None:
            return self.reason
        file, line, document_id, _ = self.earlier
        where = f"line {line}" if file == self.file else f"{file}, line {line}"
        return f"duplicate of {where} ({_likeness(self.duplicate, document_id)})"


def _likeness(likeness: Likeness, earlier_id: str) -> str:
    if likeness is Likeness.CONTACT:
        return "same contact"
    if likeness is Likeness.ID:
        return "same id"
    if likeness is Likeness.REUSED_ID:
        return "same id, another number"
    return f"same number as {shown_name(earlier_id)}" if earlier_id else "same number, without id"


class RowCounts(msgspec.Struct):
    """Rows so far: ``read = good + duplicate + invalid``.

    Among the good are ``healed`` rows, those ``without_country``, those that held a note or a
    second number beside theirs, and those with the number of another column.
    """

    read: int = 0
    good: int = 0
    duplicate: int = 0
    invalid: int = 0
    healed: int = 0
    without_country: int = 0
    notes: int = 0
    second_numbers: int = 0
    other_columns: int = 0

    def add_marks(self, row: Row, times: int) -> None:
        """Counts what is special about a good row, or takes it back (-1)."""
        self.healed += times * row.healed
        self.without_country += times * row.without_country
        if row.beside is not None:
            self.notes += times * (row.beside is Beside.NOTE)
            self.second_numbers += times * (row.beside is Beside.SECOND)
            self.other_columns += times * (row.beside is Beside.OTHER)


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
