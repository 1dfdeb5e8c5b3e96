"""What comes out of a file of contacts: one `Row` for each row, good or not."""

from collections.abc import Sequence

import msgspec

from callspool.known import Known


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
    duplicate: str = ""
    """What an earlier row had already: ``document_id``, ``contact_number``, or empty."""
    first: bytes = b""
    """What was remembered of that earlier row, where a `Memory` was asked for."""
    healed: bool = False
    """Whether the number was written as a spreadsheet writes numbers, and has been put right."""
    known: Known | None = None
    """What is to be checked of a document made of cells; None for one that came as JSON."""
    cells: Sequence[str] = ()
    """The cells of a row of a CSV file, untouched; empty for JSON."""

    @property
    def good(self) -> bool:
        return not self.reason and not self.duplicate


class RowCounts(msgspec.Struct):
    """Rows so far: ``read = good + duplicate + invalid``. ``healed`` rows are among the good."""

    read: int = 0
    good: int = 0
    duplicate: int = 0
    invalid: int = 0
    healed: int = 0
