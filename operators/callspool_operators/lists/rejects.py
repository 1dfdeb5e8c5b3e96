"""The file of rows that do not go on: where each stood, why it was held back, and its text."""

import csv
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TextIO

from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.row import Row
from callspool_operators.lists.shield import shielded_row

HEADER = ("file", "line", "reason", "row")


class _UnixLines:
    """Ends rows with a line feed alone, yet has the writer quote carriage returns in cells."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        return self._stream.write(row.removesuffix("\r\n") + "\n")


class RejectsFile:
    """Writes rows as CSV, for ``flag``: those that were refused, or the duplicates.

    Readable by its owner alone, since the rows are people's data. Replaces the file of an earlier
    run. Raises `IntakeError` if it cannot be written, is one of the files to be read, or is that of
    ``beside``.
    """

    def __init__(
        self,
        path: str,
        inputs: Sequence[str] = (),
        flag: str = "--rejects",
        beside: Self | None = None,
    ) -> None:
        self.path = path
        self._flag = flag
        others = dict.fromkeys(inputs, "the contacts")
        if beside is not None:
            others[beside.path] = f"what {beside._flag} keeps"
        for name, what in others.items():
            if _same_file(path, name):
                raise IntakeError(f"{flag} {path} would overwrite {what}: use another name")
        try:
            self._stream = open(  # noqa: SIM115 - closed by `close`
                path, "w", encoding="utf-8", errors="replace", newline="", opener=_for_the_owner
            )
        except OSError as fault:
            raise self._unwritable(fault) from None
        self._write = csv.writer(_UnixLines(self._stream), lineterminator="\r\n").writerow
        self._write(HEADER)

    def add(self, row: Row) -> None:
        text = row.text.decode("utf-8", "backslashreplace").rstrip("\r\n")
        try:
            self._write(shielded_row((row.file, str(row.line), row.verdict, text)))
        except OSError as fault:
            raise self._unwritable(fault) from None

    def close(self) -> None:
        """Closes the file; raises `IntakeError` where the last rows find no room."""
        try:
            self._stream.close()
        except OSError as fault:
            raise self._unwritable(fault) from None

    def _unwritable(self, fault: OSError) -> IntakeError:
        if fault.errno == errno.ELOOP:
            return IntakeError(f"{self._flag} {self.path} is a symbolic link: name the file itself")
        return IntakeError(f"cannot write {self._flag} {self.path}: {fault.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _for_the_owner(path: str, flags: int) -> int:
    """Opens the file itself: a link that somebody put there may lead to any file of the user's."""
    follows = path.startswith("/dev/")  # as /dev/stdout does
    return os.open(path, flags | (0 if follows else os.O_NOFOLLOW), 0o600)


def _same_file(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except OSError:
        return False
