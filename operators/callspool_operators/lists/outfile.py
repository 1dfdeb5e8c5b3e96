"""Where a list is given back: delimited text or a spreadsheet, written whole or not at all."""

import codecs
import csv
import errno
import gzip
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, Self, cast

from callspool.errors import CallspoolError
from callspool_operators.lists.delimited import shielded_row
from callspool_operators.lists.source import STANDARD_INPUT


class Dialect(NamedTuple):
    """How a table is written: ``marked`` means that UTF-8 begins with a byte order mark."""

    delimiter: str = ","
    codec: str = "utf-8"
    marked: bool = False


PLAIN = Dialect()


class OutPlace:
    """A place for a file; ``-`` is stdout. ``flag``: what named it, for messages.

    A regular file is written beside its place and moved there by `finish`, readable by its owner
    alone, since rows are people's data; without `finish` nothing of it stays. A symbolic link is
    refused. A context manager; raises `CallspoolError` for what cannot be written.
    """

    def __init__(self, path: str, inputs: Sequence[str] = (), flag: str = "-o") -> None:
        self.path = path
        self.flag = flag
        self._place: Path | None = None
        self._part: Path | None = None
        refuse_an_input(path, inputs, flag)
        try:
            self.bytes = self._open()
        except OSError as fault:
            raise self.unwritable(fault) from None

    def _open(self) -> IO[bytes]:
        if self.path == STANDARD_INPUT:
            return sys.stdout.buffer
        place = Path(self.path)
        if place.exists() and not place.is_file():
            return place.open("wb")  # a device or a pipe; a directory says what it is
        if place.is_symlink() and not self.path.startswith("/dev/"):  # as /dev/stdout is
            raise OSError(errno.ELOOP, "is a symbolic link")
        if place.is_symlink():
            return place.open("wb")
        self._place = place.absolute()
        number, part = tempfile.mkstemp(".part", f".{place.name[:100]}.", self._place.parent)
        self._part = Path(part)
        return os.fdopen(number, "wb")

    def finish(self) -> None:
        """Puts what was written in its place."""
        self.bytes.flush()
        if self._part is not None and self._place is not None:
            os.fsync(self.bytes.fileno())
            self.bytes.close()
            self._part.replace(self._place)
            self._part = None

    def unwritable(self, fault: OSError) -> CallspoolError:
        """Returns the error for the person who named the place."""
        if fault.errno == errno.ELOOP:
            return CallspoolError(
                f"{self.flag} {self.path} is a symbolic link: name the file itself"
            )
        return CallspoolError(f"cannot write {self.flag} {self.path}: {fault.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.path != STANDARD_INPUT:
            with suppress(OSError):
                self.bytes.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)


class OutFile:
    """Delimited text, packed where the name ends with ``.gz``.

    ``raw``: cells go out as they are, even if a spreadsheet would run them. Letters that the
    dialect's encoding does not have are spelled out. A context manager; raises `CallspoolError`.
    """

    def __init__(self, place: OutPlace, dialect: Dialect = PLAIN, *, raw: bool = False) -> None:
        self._place = place
        self._raw = raw
        self._delimiter = dialect.delimiter
        self._packer: gzip.GzipFile | None = None
        inner = place.bytes
        if place.path.lower().endswith(".gz"):
            self._packer = gzip.GzipFile("", "wb", 6, place.bytes, 0)
            inner = cast("IO[bytes]", self._packer)
        if dialect.marked and codecs.lookup(dialect.codec).name == "utf-8":
            inner.write(codecs.BOM_UTF8)
        self._text = io.TextIOWrapper(inner, dialect.codec, "backslashreplace", newline="")
        self._rows = csv.writer(_Lines(self._text), delimiter=dialect.delimiter)

    def write(self, rows: Iterable[Sequence[str]]) -> None:
        """Adds rows."""
        if not self._raw:
            rows = (shielded_row(row, self._delimiter) for row in rows)
        try:
            self._rows.writerows(rows)
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise self._place.unwritable(fault) from None

    def finish(self) -> None:
        """Puts the file in its place."""
        try:
            self._text.flush()
            self._text.detach()
            if self._packer is not None:
                self._packer.close()
            self._place.finish()
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise self._place.unwritable(fault) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ValueError, OSError):  # finished, or full: either way nothing is to be kept
            self._text.detach()
        self._place.__exit__()


class _Lines:
    """Ends rows as scripts like it. The writer itself has to think of CR LF, else it would leave a
    carriage return within a cell without quotes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._write = text.write

    def write(self, row: str) -> int:
        return self._write(row[:-2] + "\n")


def refuse_an_input(path: str, inputs: Sequence[str], flag: str) -> None:
    """Raises `CallspoolError` where the list itself would be overwritten."""
    if path == STANDARD_INPUT:
        return
    for name in inputs:
        if name != STANDARD_INPUT and same_file(path, name) and Path(path).is_file():
            raise CallspoolError(f"{flag} {path} would overwrite the list itself: use another name")


def same_file(path: str, other: str) -> bool:
    """Whether two names are of one file that is there."""
    try:
        return Path(path).samefile(other)
    except OSError:
        return False


MOST_ROWS = 1_048_576
LONGEST_CELL = 32_767
_WIDTH = 18


class SheetFile:
    """An .xlsx file with a header that stays in sight and a filter.

    Every cell is text, so no spreadsheet runs or shortens one. A context manager; raises
    `CallspoolError`.
    """

    def __init__(self, place: OutPlace, title: str = "Answers") -> None:
        self._place = place
        try:
            import xlsxwriter  # noqa: PLC0415 - not needed for anything else
        except ModuleNotFoundError:
            raise CallspoolError(
                f"{place.flag} {place.path}: writing .xlsx needs pip install './callspool[worker]':"
                " or name it .csv"
            ) from None
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book: Any = xlsxwriter.Workbook(place.bytes, options)
        self._sheet = self._book.add_worksheet(title)
        self._bold = self._book.add_format({"bold": True})
        self._rows = self._columns = 0

    def write(self, rows: Iterable[Sequence[str]]) -> None:
        """Adds rows; the first is the header."""
        for row in rows:
            if self._rows == MOST_ROWS:
                raise CallspoolError(
                    f"{self._place.path}: a sheet holds {MOST_ROWS:,} rows: name it .csv"
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
            self._place.finish()
        except OSError as fault:
            raise self._place.unwritable(fault) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._place.__exit__()
