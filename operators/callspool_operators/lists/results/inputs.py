"""Inputs that are read twice: once for their columns, once for their rows."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self, cast

from callspool_operators.lists.formats import Rows, open_rows
from callspool_operators.lists.source import STANDARD_INPUT, Source


class Inputs:
    """The files of a command; what can be read only once (a pipe) is kept on disk meanwhile.

    A context manager. Raises `IntakeError` for what cannot be read.
    """

    def __init__(
        self,
        names: Sequence[str],
        stdin: BinaryIO,
        codec: str | None = None,
        sheet: str | None = None,
    ) -> None:
        self.names = names
        self._codec = codec
        self._sheet = sheet
        self._stdin = stdin
        self._copies: dict[str, BinaryIO] = {}
        self._stack = ExitStack()

    def streams(self) -> Mapping[str, BinaryIO]:
        """The copies, each at its start."""
        for copy in self._copies.values():
            copy.seek(0)
        return self._copies

    def rows(self, name: str, chosen: Mapping[str, str], stack: ExitStack) -> tuple[Source, Rows]:
        """The rows of one file from its start, and where they come from."""
        source = stack.enter_context(
            Source(name, self.streams().get(name), self._codec, self._sheet)
        )
        return source, open_rows(source, chosen)

    def __enter__(self) -> Self:
        for name in self.names:
            path = Path(name)
            if name == STANDARD_INPUT:
                self._copy(name, self._stdin)
            elif path.exists() and not path.is_file() and not path.is_dir():
                with path.open("rb") as pipe:
                    self._copy(name, pipe)
        return self

    def _copy(self, name: str, stream: BinaryIO) -> None:
        file = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - entered here
        shutil.copyfileobj(stream, file)
        self._copies[name] = cast("BinaryIO", file)

    def __exit__(self, *_: object) -> None:
        self._stack.close()
