"""Files that are no plain text: gzip, spreadsheets, and formats that are no list of contacts."""

import csv
import io
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import IO, NamedTuple

import msgspec

from callspool_operators.lists import IntakeError

_BLANK = b"\xef\xbb\xbf \t\r\n"


class ForeignFormat(NamedTuple):
    """What a file is, and what to do with it."""

    what: str
    remedy: str


_AS_LIST = "open it in a spreadsheet and save it as .xlsx or CSV (UTF-8)"
_UNPACK = "unpack it, or pack it by gzip"
_SIGNATURES: tuple[tuple[bytes, ForeignFormat], ...] = (
    (
        b"\xd0\xcf\x11\xe0",
        ForeignFormat(
            "an old spreadsheet (.xls), or one with a password",
            "save it as .xlsx without a password, or as CSV (UTF-8)",
        ),
    ),
    (b"%PDF", ForeignFormat("a PDF document", "ask for the list as .xlsx or CSV (UTF-8)")),
    (b"{\\rtf", ForeignFormat("a text document (RTF)", _AS_LIST)),
    (b"BZh", ForeignFormat("packed by bzip2", _UNPACK)),
    (b"\xfd7zXZ", ForeignFormat("packed by xz", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", ForeignFormat("packed by zstd", _UNPACK)),
    (b"7z\xbc\xaf", ForeignFormat("a 7z archive", "unpack it and name the list in it")),
    (b"Rar!", ForeignFormat("a RAR archive", "unpack it and name the list in it")),
    (b"SQLite format 3", ForeignFormat("an SQLite database", "export its table as CSV (UTF-8)")),
    (b"PAR1", ForeignFormat("a Parquet file", "export it as CSV (UTF-8) or JSON Lines")),
    (b"\x89PNG", ForeignFormat("an image", "ask for the list as .xlsx or CSV (UTF-8)")),
    (b"\xff\xd8\xff", ForeignFormat("an image", "ask for the list as .xlsx or CSV (UTF-8)")),
)
_TEXTS: tuple[tuple[re.Pattern[bytes], ForeignFormat], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), ForeignFormat(what, remedy))
    for pattern, what, remedy in (
        (
            rb"BEGIN:VCARD\b",
            "an address book (vCard, .vcf)",
            "import it into the address book and export it as CSV from there",
        ),
        (rb"BEGIN:VCALENDAR\b", "a calendar", "export the contacts as CSV (UTF-8)"),
        (
            rb"<\?xml.{0,2000}urn:schemas-microsoft-com:office:spreadsheet",
            "a spreadsheet in XML (Excel 2003)",
            _AS_LIST,
        ),
        (
            rb"<(?:!doctype html|html|head|body|table|meta|div|style|!--)",
            "a web page (HTML), whatever its name says",
            _AS_LIST,
        ),
        (rb"MIME-Version:", "a web page with its pictures (MHTML)", _AS_LIST),
        (rb"<\?xml", "XML", "export the list as CSV (UTF-8) or JSON Lines"),
        (rb"(?:version: ?1\s+)?dn:{1,2} ", "an address book (LDIF)", "export it as CSV (UTF-8)"),
    )
)


def foreign_format(head: bytes) -> ForeignFormat | None:
    """Returns what the file is that begins so; None if it may be a list."""
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    bare = head[:4096].lstrip(_BLANK)
    return next((found for pattern, found in _TEXTS if pattern.match(bare)), None)


def name_zip(head: bytes) -> str:
    """Returns what a zip archive is that is no spreadsheet, and what to do with it."""
    if b"word/" in head:
        return "a Word document: copy its table into a spreadsheet and save that as .xlsx"
    return "an archive (.zip): unpack it and name the list in it"


MAGIC = b"\x1f\x8b"
PIECE = 256 * 1024
"""Unpacked bytes handed out at once, at most."""
MAX_RATIO = 200
"""Unpacked bytes for each packed one, at most. Lists of contacts come to 3 to 40."""
FREE = 16 * 1024 * 1024
"""Unpacked bytes from which on the ratio counts."""

_AS_GZIP = 31


class GzipReader:
    """Unpacks what ``read`` returns, all members of it, until it returns nothing.

    ``shown``: the input's name for messages. Every byte that could be unpacked is handed out
    before the `IntakeError` that says that the input is broken, cut off or a bomb.
    """

    def __init__(self, read: Callable[[], bytes], shown: str) -> None:
        self._packed = read
        self._shown = shown
        self._member = zlib.decompressobj(_AS_GZIP)
        self._begun = False
        self._waiting = b""
        self._taken = 0
        self._given = 0

    def read(self) -> bytes:
        """Returns at most `PIECE` more unpacked bytes, b"" at the end; raises `IntakeError`."""
        while True:
            data = self._waiting or self._fetch()
            if not data and not self._begun:
                return b""
            self._begun = True
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error:
                raise self._broken("is damaged") from None
            self._waiting = self._member.unconsumed_tail
            if self._member.eof:
                self._next_member()
            elif not data and not piece:
                raise self._broken("is cut off")
            if piece:
                self._given += len(piece)
                self._refuse_a_bomb()
                return piece

    def _fetch(self) -> bytes:
        """More packed bytes, if there are any; zeros between and behind members are padding."""
        while block := self._packed():
            self._taken += len(block)
            if self._begun or (block := block.lstrip(b"\0")):
                return block
        return b""

    def _next_member(self) -> None:
        self._waiting = self._member.unused_data.lstrip(b"\0")
        self._member = zlib.decompressobj(_AS_GZIP)
        self._begun = False

    def _refuse_a_bomb(self) -> None:
        if self._given > max(FREE, MAX_RATIO * self._taken):
            raise IntakeError(
                f"{self._shown} unpacks to more than {MAX_RATIO} times its size, as no list of"
                " contacts does: nothing more of it is read; unpack it and look at it"
            )

    def _broken(self, what: str) -> IntakeError:
        return IntakeError(
            f"{self._shown} {what}: the rows up to there were read, the others were not; get the"
            " whole file and send it again"
        )


MAX_PACKED = 64 * 1024 * 1024
"""Bytes of a spreadsheet's file, at most."""
MAX_UNPACKED = 512 * 1024 * 1024
"""Bytes of all that is packed in it, at most."""
APART_UNPACKED = 64 * 1024 * 1024
"""The same for one that came over the network; it is read in a process of its own."""
APART_MEMORY = 512 * 1024 * 1024
APART_SECONDS = 20
_REFUSED = 3
_one_at_a_time = threading.Lock()
EXACT = 10**15
"""Whole numbers below it are in a sheet with all of their digits; of larger ones, 15 are left."""
ROWS_AT_ONCE = 2000

_MARKS = (b"xl/", b"[Content_Types].xml", b"opendocument.spreadsheet")
Cell = int | float | str | bool | time | date | datetime | timedelta


def looks_like_sheet(head: bytes) -> bool:
    """Whether a zip archive that begins so is a spreadsheet (.xlsx, .ods)."""
    return any(mark in head for mark in _MARKS)


class SheetText(NamedTuple):
    """The rows of a sheet as blocks of CSV; ``others``: sheets that were passed over."""

    blocks: Iterator[bytes]
    name: str
    others: tuple[str, ...]


def sheet_as_csv(
    data: bytes, shown: str, wanted: str | None, unpacked: int | None = None
) -> SheetText:
    """Returns the rows of one sheet, the first in sight unless ``wanted`` names one.

    ``unpacked``: bytes at most.

    Raises `IntakeError` for what is no spreadsheet, needs a password, or is a bomb.
    """
    _refuse_a_bomb(data, shown, MAX_UNPACKED if unpacked is None else unpacked)
    rows, name, names = _rows(data, shown, wanted)
    others = tuple(other for other in names if other != name) if wanted is None else ()
    return SheetText(_blocks(rows), name, others)


def sheet_apart(data: bytes, shown: str, wanted: str | None) -> SheetText:
    """As `sheet_as_csv`, of a spreadsheet that comes from a stranger: in a bounded process.

    A few bytes of a spreadsheet may stand for a text in a million cells, or for a far away cell.
    """
    out = tempfile.TemporaryFile()  # noqa: SIM115 - closed once its last block is read
    code = f"from {__name__} import convert; convert()"
    command = [sys.executable, "-P", "-W", "ignore", "-c", code, shown]
    command += [] if wanted is None else [wanted]
    with _one_at_a_time:
        try:
            done = subprocess.run(  # noqa: S603 - this program's own code
                command,
                input=data,
                stdout=out,
                stderr=subprocess.PIPE,
                check=False,
                timeout=APART_SECONDS * 4,
            )
            ended = done.returncode
        except subprocess.TimeoutExpired:
            ended = -1
    if ended == 0:
        out.seek(0)
        name, *others = msgspec.json.decode(done.stderr, type=list[str])
        return SheetText(_blocks_of(out), name, tuple(others))
    out.close()
    if ended == _REFUSED:
        raise IntakeError(done.stderr.decode())
    raise IntakeError(
        f"{shown} takes more than {APART_MEMORY // 2**20} MiB or {APART_SECONDS} s to be read as a"
        " spreadsheet: save its list as CSV (UTF-8)"
    )


def convert() -> None:
    """Writes a spreadsheet on standard input as CSV; the names of its sheets to stderr."""
    import resource  # noqa: PLC0415 - not on every system, and for servers alone

    for what, most in (
        (resource.RLIMIT_AS, APART_MEMORY),
        (resource.RLIMIT_CPU, APART_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    try:
        shown, *wanted = sys.argv[1:]
        data = sys.stdin.buffer.read()
        text = sheet_as_csv(data, shown, wanted[0] if wanted else None, APART_UNPACKED)
    except IntakeError as fault:
        sys.stderr.write(str(fault))
        sys.exit(_REFUSED)
    for block in text.blocks:
        sys.stdout.buffer.write(block)
    sys.stderr.write(msgspec.json.encode([text.name, *text.others]).decode())


def _blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(PIECE):
            yield block


def _refuse_a_bomb(data: bytes, shown: str, most: int) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        raise IntakeError(f"{shown} is a damaged spreadsheet: save it anew") from None
    if unpacked > most:
        raise IntakeError(
            f"{shown} unpacks to more than {most // 2**20} MiB: nothing of it is read;"
            " save its list as CSV (UTF-8)"
        )


def _rows(data: bytes, shown: str, wanted: str | None) -> tuple[list[list[Cell]], str, list[str]]:
    """The rows of a sheet, its name, and the names of all sheets."""
    try:
        from python_calamine import (  # noqa: PLC0415 - not needed for anything else
            CalamineError,
            CalamineWorkbook,
            SheetTypeEnum,
            SheetVisibleEnum,
        )
    except ModuleNotFoundError:
        raise IntakeError(
            f"{shown} is a spreadsheet, and reading it needs pip install './callspool[worker]':"
            " or save it as CSV (UTF-8)"
        ) from None
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = book.sheet_names
        if wanted is not None and wanted not in names:
            raise IntakeError(f"{shown} has no sheet {wanted!r}: it has {', '.join(names)}")
        in_sight = (
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
        )
        name = next(in_sight, names[0]) if wanted is None else wanted
        return book.get_sheet_by_name(name).to_python(skip_empty_area=False), name, names
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
    """Returns a cell as text: whole numbers with all of their digits, dates as 2026-12-01."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, (int, float)) and abs(cell) >= EXACT:
        return f"{cell:.14E}"  # what is left of it, as a spreadsheet would show it
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell)
