"""A file of contacts as a stream of bytes that knows how far it has been read."""

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO, Self

from callspool.intake.errors import IntakeError

STANDARD_INPUT = "-"
BLOCK = 256 * 1024
_HEAD = 4
_OTHER_FORMATS = (
    (b"\x1f\x8b", "is compressed: unpack it first (gunzip), or pipe it in: gunzip -c FILE | … -"),
    (b"PK\x03\x04", "is a spreadsheet or an archive: export it as CSV (UTF-8)"),
    (b"\xff\xfe", "is UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "is UTF-16: save it as UTF-8"),
)


class Source:
    """One input, read once from its start to its end, in blocks.

    ``size`` is None where the input has no size (a pipe); ``done`` counts the bytes handed out.
    """

    def __init__(self, name: str, stdin: BinaryIO | None = None) -> None:
        self.name = name
        self.done = 0
        self.size: int | None = None
        self._stream = (stdin or sys.stdin.buffer) if name == STANDARD_INPUT else self._opened()
        self._head = b""

    @property
    def shown(self) -> str:
        """The name for messages."""
        return "standard input" if self.name == STANDARD_INPUT else self.name

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()

    def _opened(self) -> BinaryIO:
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
        """The first bytes, which the next `read` returns again; refuses what is no text.

        Raises `IntakeError` for an empty input and for formats that callspool does not read.
        """
        while len(self._head) < _HEAD and (block := self._read()):
            self._head += block
        if not self._head.strip(b"\xef\xbb\xbf \t\r\n"):
            self._refuse_if_empty()
        for magic, remedy in _OTHER_FORMATS:
            if self._head.startswith(magic):
                raise IntakeError(f"{self.shown} {remedy}")
        if b"\0" in self._head[:4096]:
            raise IntakeError(f"{self.shown} is not text: save it as CSV or JSON Lines in UTF-8")
        return self._head

    def _refuse_if_empty(self) -> None:
        """Looks behind white space; what it reads stays in front of the next `read`."""
        while len(self._head) < BLOCK and (block := self._read()):
            self._head += block
        if not self._head.strip(b"\xef\xbb\xbf \t\r\n"):
            raise IntakeError(f"{self.shown} is empty: it needs a line of column names and rows")

    def read(self) -> bytes:
        """The next bytes, as many as are there, at most about `BLOCK`; empty at the end."""
        block, self._head = self._head or self._read(), b""
        self.done += len(block)
        return block

    def _read(self) -> bytes:
        try:
            read = getattr(self._stream, "read1", self._stream.read)
            block: bytes | None = read(BLOCK)
        except OSError as fault:
            raise IntakeError(f"cannot read {self.shown}: {fault.strerror}") from None
        return block or b""

    def close(self) -> None:
        if self.name != STANDARD_INPUT:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
