"""A file of contacts as a stream of bytes that knows how far it has been read."""

import codecs
import os
import stat
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Self

from callspool_operators.lists import IntakeError
from callspool_operators.lists.containers import (
    MAGIC,
    MAX_PACKED,
    GzipReader,
    foreign_format,
    looks_like_sheet,
    name_zip,
    sheet_apart,
    sheet_as_csv,
)
from callspool_operators.lists.encodings import (
    UTF8,
    UTF16,
    Evidence,
    Read,
    Verdict,
    from_codec,
    name_of,
    utf16_of,
)

STANDARD_INPUT = "-"
BLOCK = 256 * 1024
SAMPLE = 256 * 1024
"""Bytes at the start in which the first line is looked for. Of a pipe, the bytes from the first one
beyond ASCII on that decide on its encoding."""
_PACKED_BLOCK = 32 * 1024
_HEAD = 4
_LOOK = 4096
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ENDS = (b"\n", b"\r")
_NOTHING = b"\xef\xbb\xbf \t\r\n"


class Source:
    """One input, unpacked and in UTF-8, read once from its start to its end, in blocks.

    ``size`` is None where the input has no size (a pipe); ``done`` counts the bytes taken of it.
    ``encoding``, ``marked`` (by a byte order mark) and ``packed`` are known when `head` has been
    called. ``stream``: what to read in place of the file of that name; it is left open.
    ``codec`` is the encoding as Python names it; given at the start, it is what the user named, as
    ``sheet`` is. ``is_sheet``: whether it is a spreadsheet, whose rows come as CSV.
    ``is_foreign``: whether it comes from a stranger, so that reading it has tighter bounds.
    """

    def __init__(
        self,
        name: str,
        stream: BinaryIO | None = None,
        codec: str | None = None,
        sheet: str | None = None,
        *,
        is_foreign: bool = False,
    ) -> None:
        self.name = name
        self.done = 0
        self.size: int | None = None
        self.encoding = UTF8
        self.codec = "utf-8"
        self.packed = False
        self.marked = False
        self._given = stream or (sys.stdin.buffer if name == STANDARD_INPUT else None)
        self._stream = self._given or self._open()
        self._codec = codec
        self._sheet, self._is_foreign = sheet, is_foreign
        self.is_sheet = False
        self.sheet, self.other_sheets = "", tuple[str, ...]()
        self._block = BLOCK
        self._next: Read = self._read
        self._head = b""
        self._fault: IntakeError | None = None

    @property
    def shown(self) -> str:
        """The name for messages."""
        return "standard input" if self.name == STANDARD_INPUT else self.name

    @property
    def suffix(self) -> str:
        """The end of the name that tells the format: ``.csv`` for ``contacts.csv.gz``."""
        path = Path(self.name.lower())
        return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix

    def _open(self) -> BinaryIO:
        try:
            stream = Path(self.name).open("rb", buffering=0)  # noqa: SIM115 - see close
        except IsADirectoryError:
            raise IntakeError(f"{self.name} is a directory: name the files in it") from None
        except FileNotFoundError:
            raise IntakeError(f"{self.name} is not there: check the name") from None
        except (OSError, ValueError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else fault
            raise IntakeError(f"cannot read {self.name}: {reason}") from None
        status = os.fstat(stream.fileno())
        if stat.S_ISREG(status.st_mode):
            self.size = status.st_size
        return stream

    def head(self) -> bytes:
        """Returns the first bytes, which the next `read` returns again; refuses what is no text.

        Raises `IntakeError` for an empty input and for formats that callspool does not read.
        """
        self._fill(_HEAD)
        if self._head.startswith(MAGIC):
            if self._is_foreign:
                raise IntakeError(f"{self.shown} is compressed: send it unpacked")
            self._unpack()
        if self._head.startswith(MAGIC):
            raise IntakeError(f"{self.shown} is compressed twice: unpack it once (gunzip)")
        if self._head.startswith(b"PK\x03\x04"):
            self._open_sheet()
        if self._codec is not None and not self.is_sheet:
            self.encoding, self.codec = name_of(self._codec), self._codec
            self.marked = self._head.startswith((codecs.BOM_UTF8, *_UTF16_MARKS))
            self._next = from_codec(self._once_more(), self._codec)
            self._fill(_HEAD)
        elif codec := utf16_of(self._head):
            self.encoding, self.marked = UTF16, self._head.startswith(_UTF16_MARKS)
            self.codec = "utf-16"
            self._next = from_codec(self._once_more(), codec)
            self._fill(_HEAD)
        self.marked = self.marked or self._head.startswith(codecs.BOM_UTF8)
        if not self._head.strip(_NOTHING):
            self._refuse_if_empty()
        if foreign := foreign_format(self._head):
            raise IntakeError(f"{self.shown} is {foreign.what}: {foreign.remedy}")
        if b"\0" in self._head[:4096]:
            raise IntakeError(f"{self.shown} is not text: save it as CSV or JSON Lines in UTF-8")
        return self._head

    def first_line(self) -> bytes:
        """Returns the first line that holds anything, or as much of it as `SAMPLE` bytes have."""
        size = _HEAD
        while True:
            self._fill(size)
            lines = self._head.lstrip(_NOTHING).splitlines(keepends=True)
            if len(self._head) < size or size >= SAMPLE or (lines and lines[0].endswith(_ENDS)):
                return lines[0] if lines else b""
            size = 2 * len(self._head)

    def settle_encoding(self) -> None:
        """Decides by all of a file whether a text that claims nothing is UTF-8, and what else.

        Of what can be read only once, it is decided where the first bytes beyond ASCII come. A row
        that does not fit is refused later. To be called after `head`. Raises `IntakeError`.
        """
        if (
            self.is_sheet
            or self._codec
            or self.encoding != UTF8
            or self._head.startswith(codecs.BOM_UTF8)
        ):
            return
        if self._given is None and self.size is not None:
            self._go_on_as(_verdict_of_file(self.name, *_version(self._stream)))
        elif self._stream.seekable():
            self._go_on_as(self._verdict_of_stream(self._stream))
        else:
            self._next = self._as_it_comes(self._once_more())

    def _verdict_of_stream(self, stream: BinaryIO) -> Verdict:
        """What a stream is from its start; it stays where it was."""
        place = stream.tell()
        stream.seek(0)
        try:
            return _verdict_of(Source(self.name, stream))
        finally:
            stream.seek(place)

    def _go_on_as(self, verdict: Verdict) -> None:
        if not verdict.is_known:
            raise _unknown(self.shown, verdict)
        if verdict.encoding is not None:
            self.encoding, self.codec = verdict.encoding.name, verdict.encoding.codec
            self._next = from_codec(self._once_more(), verdict.encoding.codec)

    def _as_it_comes(self, read: Read) -> Read:
        """Reads ASCII as it is; from the first other bytes on, as their encoding has it."""
        onwards: Read | None = None

        def read_on() -> bytes:
            nonlocal onwards
            if onwards is None:
                block = read()
                if block.isascii():
                    return block
                onwards = self._judge_block(block, read)
            return onwards()

        return read_on

    def _judge_block(self, block: bytes, read: Read) -> Read:
        """Goes on with a block beyond ASCII and what is behind it, in the encoding that it has."""
        evidence, blocks, size = Evidence(), [block], len(block)
        evidence.add(block)
        while size < SAMPLE and (block := read()):
            evidence.add(block)
            blocks.append(block)
            size += len(block)
        verdict = evidence.verdict()
        if not verdict.is_known:
            raise _unknown(self.shown, verdict)
        waiting = iter(blocks)
        onwards = lambda: next(waiting, b"") or read()  # noqa: E731
        if verdict.encoding is None:
            return onwards
        self.encoding, self.codec = verdict.encoding.name, verdict.encoding.codec
        return from_codec(onwards, verdict.encoding.codec)

    def _open_sheet(self) -> None:
        """Goes on with the rows of a spreadsheet, as CSV."""
        self._fill(_LOOK)
        if not looks_like_sheet(self._head):
            raise IntakeError(f"{self.shown} is {name_zip(self._head)}")
        read, parts, size = self._once_more(), [], 0
        while block := read():
            parts.append(block)
            size += len(block)
            if size > MAX_PACKED:
                raise IntakeError(
                    f"{self.shown} is a spreadsheet of more than {MAX_PACKED // 2**20} MiB: save"
                    " its list as CSV (UTF-8)"
                )
        as_csv = sheet_apart if self._is_foreign else sheet_as_csv
        blocks, self.sheet, self.other_sheets = as_csv(b"".join(parts), self.shown, self._sheet)
        self.is_sheet = True
        self._next = lambda: next(blocks, b"")
        self._fill(_HEAD)

    def _unpack(self) -> None:
        self.packed = True
        self._block = _PACKED_BLOCK
        self._next = GzipReader(self._once_more(), self.shown).read
        self._fill(_HEAD)

    def _once_more(self) -> Read:
        """Reads this source from its start again, what `head` has taken included."""
        head, self._head = self._head, b""
        fault, self._fault = self._fault, None
        onwards = self._next

        def read() -> bytes:
            nonlocal head
            if head:
                block, head = head, b""
                return block
            if fault is not None:
                raise fault
            return onwards()

        return read

    def _fill(self, size: int) -> None:
        """Makes the head as long as that, if there is as much; what is broken is told later."""
        parts, length = [self._head], len(self._head)
        try:
            while length < size and self._fault is None and (block := self._next()):
                parts.append(block)
                length += len(block)
        except IntakeError as fault:
            self._fault = fault
        self._head = b"".join(parts)

    def _refuse_if_empty(self) -> None:
        """Looks behind white space; what it reads stays in front of the next `read`."""
        self._fill(BLOCK)
        if not self._head.strip(_NOTHING):
            if self._fault is not None:
                raise self._fault
            raise IntakeError(f"{self.shown} is empty: it needs a line of column names and rows")

    def read(self) -> bytes:
        """Returns the next bytes, as many as are there, at most about `BLOCK`; empty at the end.

        Raises `IntakeError` where the input cannot be read on.
        """
        if self._head:
            block, self._head = self._head, b""
            return block
        if self._fault is not None:
            raise self._fault
        return self._next()

    def _read(self) -> bytes:
        try:
            read = getattr(self._stream, "read1", self._stream.read)
            block: bytes | None = read(self._block)
        except OSError as fault:
            raise IntakeError(f"cannot read {self.shown}: {fault.strerror}") from None
        self.done += len(block or b"")
        return block or b""

    def close(self) -> None:
        if self._given is None:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _version(stream: BinaryIO) -> tuple[int, int, int, int]:
    """What changes when a file does."""
    status = os.fstat(stream.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _verdict_of_file(name: str, *_version: int) -> Verdict:
    """What a file is, read to its end: once, though a command opens it several times."""
    with Source(name) as source:
        return _verdict_of(source)


def _verdict_of(source: Source) -> Verdict:
    evidence = Evidence()
    with suppress(IntakeError):  # what cannot be read is told when it is read
        source.head()
        while block := source.read():
            evidence.add(block)
    return evidence.verdict()


def _unknown(shown: str, verdict: Verdict) -> IntakeError:
    what = f"{shown} is not UTF-8, and what else it is cannot be told: save it as UTF-8, or "
    if not verdict.rivals:
        return IntakeError(
            f"{what}name its encoding, such as --encoding cp1252, mac_roman or cp850"
        )
    return IntakeError(
        f"{what}send it as the one of these whose letters are those of its names (--dry-run shows"
        f" two): {' or '.join(map(str, verdict.rivals))}"
    )
