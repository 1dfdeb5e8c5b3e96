"""Spreadsheets as text: their rows as lines of CSV, each cell as it was typed."""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

from callspool_operators.lists.errors import IntakeError

MAX_PACKED = 64 * 1024 * 1024
"""Bytes of a spreadsheet's file, at most."""
MAX_UNPACKED = 512 * 1024 * 1024
"""Bytes of all that is packed in it, at most."""
ROWS_AT_ONCE = 2000

_MARKS = (b"xl/", b"[Content_Types].xml", b"opendocument.spreadsheet")
Cell = int | float | str | bool | time | date | datetime | timedelta


def looks_like_sheet(head: bytes) -> bool:
    """Whether a zip archive that begins so is a spreadsheet (.xlsx, .ods)."""
    return any(mark in head for mark in _MARKS)


def sheet_as_csv(data: bytes, shown: str, wanted: str | None) -> Iterator[bytes]:
    """The rows of one sheet, the first unless ``wanted`` names one, as blocks of CSV.

    Raises `IntakeError` for what is no spreadsheet, needs a password, or is a bomb.
    """
    _refuse_a_bomb(data, shown)
    rows = _rows(data, shown, wanted)
    return _blocks(rows)


def _refuse_a_bomb(data: bytes, shown: str) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        raise IntakeError(f"{shown} is a damaged spreadsheet: save it anew") from None
    if unpacked > MAX_UNPACKED:
        raise IntakeError(
            f"{shown} unpacks to more than {MAX_UNPACKED // 2**20} MiB: nothing of it is read;"
            " save its list as CSV (UTF-8)"
        )


def _rows(data: bytes, shown: str, wanted: str | None) -> list[list[Cell]]:
    try:
        from python_calamine import (  # noqa: PLC0415 - not needed for anything else
            CalamineError,
            CalamineWorkbook,
        )
    except ModuleNotFoundError:
        raise IntakeError(
            f"{shown} is a spreadsheet, and reading it needs pip install 'callspool[worker]':"
            " or save it as CSV (UTF-8)"
        ) from None
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = book.sheet_names
        if wanted is not None and wanted not in names:
            raise IntakeError(f"{shown} has no sheet {wanted!r}: it has {', '.join(names)}")
        sheet = book.get_sheet_by_name(names[0] if wanted is None else wanted)
        return sheet.to_python(skip_empty_area=False)
    except (CalamineError, IndexError) as fault:
        raise IntakeError(f"{shown} cannot be read as a spreadsheet ({fault})") from None


def _blocks(rows: Sequence[Sequence[Cell]]) -> Iterator[bytes]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        out = io.StringIO()
        write = csv.writer(out, lineterminator="\n").writerow
        for row in rows[start : start + ROWS_AT_ONCE]:
            write([text_of(cell) for cell in row])
        yield out.getvalue().encode("utf-8", "surrogatepass")


def text_of(cell: Cell) -> str:
    """A cell as text: whole numbers with all of their digits, dates as 2026-12-01."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell)
