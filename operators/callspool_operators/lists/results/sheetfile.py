"""Answers as a spreadsheet: text cells, so that ids and numbers stay as they are."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from callspool.errors import CallspoolError
from callspool_operators.lists.results.outfile import refuse_an_input

MOST_ROWS = 1_048_576
LONGEST_CELL = 32_767
_WIDTH = 18


class SheetFile:
    """An .xlsx file with a header that stays in sight and a filter; see `OutFile` for the rest.

    Every cell is text, so no spreadsheet runs or shortens one. A context manager; raises
    `CallspoolError`.
    """

    def __init__(self, path: str, inputs: Sequence[str] = ()) -> None:
        try:
            import xlsxwriter  # noqa: PLC0415 - not needed for anything else
        except ModuleNotFoundError:
            raise CallspoolError(
                f"-o {path}: writing .xlsx needs pip install 'callspool[worker]': or name it .csv"
            ) from None
        refuse_an_input(path, inputs)
        self._path = path
        self._place = Path(path).resolve()
        self._part = self._make_part()
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book: Any = xlsxwriter.Workbook(str(self._part), options)
        self._sheet = self._book.add_worksheet("Answers")
        self._bold = self._book.add_format({"bold": True})
        self._rows = self._columns = 0

    def _make_part(self) -> Path:
        try:
            number, part = tempfile.mkstemp(
                ".part", f".{self._place.name[:100]}.", self._place.parent
            )
        except OSError as fault:
            raise self._unwritable(fault) from None
        os.close(number)
        return Path(part)

    def write(self, rows: Iterable[Sequence[str]]) -> None:
        """Adds rows; the first is the header."""
        for row in rows:
            if self._rows == MOST_ROWS:
                raise CallspoolError(
                    f"{self._path}: a sheet holds {MOST_ROWS:,} rows: name it .csv"
                )
            if not self._rows:
                self._columns = len(row)
                self._sheet.set_column(0, max(len(row) - 1, 0), _WIDTH)
                self._sheet.freeze_panes(1, 0)
            style = None if self._rows else self._bold
            for place, cell in enumerate(row):
                self._sheet.write_string(self._rows, place, cell[:LONGEST_CELL], style)
            self._rows += 1

    def finish(self) -> None:
        """Puts the file in its place."""
        if self._rows:
            self._sheet.autofilter(0, 0, self._rows - 1, max(self._columns - 1, 0))
        try:
            self._book.close()
            self._part.replace(self._place)
        except OSError as fault:
            raise self._unwritable(fault) from None

    def _unwritable(self, fault: OSError) -> CallspoolError:
        return CallspoolError(f"cannot write {self._path}: {fault.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
