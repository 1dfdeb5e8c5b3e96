"""What comes out of a file of contacts: one `Row` for each row, good or not."""

from collections.abc import Sequence
from enum import Enum

import msgspec

from callspool.errors import shown_name
from callspool.request.call_request import Known
from callspool_operators.lists.earlier import Earlier


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
    earlier: Earlier | None = None
    """The row that a duplicate repeats."""
    healed: bool = False
    """Whether the number was written as a spreadsheet writes numbers, and has been put right."""
    without_country: bool = False
    """Whether neither the number nor a region says which country it is of."""
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

    Among the good are ``healed`` rows, those ``without_country``, and those that held a note or a
    second number beside theirs.
    """

    read: int = 0
    good: int = 0
    duplicate: int = 0
    invalid: int = 0
    healed: int = 0
    without_country: int = 0
    notes: int = 0
    second_numbers: int = 0
