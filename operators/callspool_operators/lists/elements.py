"""Where the elements of a JSON array begin and end, in bounded memory."""

import re
from collections.abc import Callable, Iterator

from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.lines import MAX_LINE

MAX_ELEMENT = 4 * MAX_LINE
"""Bytes of an element behind which no other is looked for."""

_STRING = rb'"[^"\\\r\n]*+(?:\\.[^"\\\r\n]*+)*'
_FLAT = re.compile(rb'\{[^{}"]*+(?:' + _STRING + rb'"[^{}"]*+)*\}', re.DOTALL)
_TOKEN = re.compile(_STRING + rb'("?)|[\[\]{}]', re.DOTALL)
_BARE = re.compile(rb'[^,\[\]{"]+|\]')
_GAP = re.compile(rb"(?:[\s,]|\xef\xbb\xbf)*")
_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(\[?)")


class _TornError(Exception):
    """A text within the element is not closed on its line, so that brackets mean nothing."""


class Elements:
    """The elements of an array, or, without its brackets, of a row of objects.

    Each comes with the line on which it starts. Elements need not be valid, only told apart: one
    with a torn text reaches to the next line that begins as its own does. Raises `IntakeError`
    where that cannot be, behind all elements before.
    """

    def __init__(self, read: Callable[[], bytes], shown: str) -> None:
        self._read = read
        self._shown = shown
        self._data = b""
        self._at = 0
        self._line = 1
        self._margin: bytes | None = None
        self._at_end = False
        self._fault: IntakeError | None = None
        self._in_array = False

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        self._begin()
        while self._skip_gap():
            if self._in_array and self._data.startswith(b"]", self._at):
                self._finish()
                return
            end = self._end_of_element()
            text = self._data[self._at : end]
            line = self._line
            self._pass_over(end)
            if bare := text.strip():
                yield line, bare
        if self._in_array:
            raise self._cut_off()

    def _begin(self) -> None:
        while not self._data.strip(b"\xef\xbb\xbf \t\r\n") and self._more():
            pass
        start = _START.match(self._data)
        assert start is not None
        self._in_array = bool(start[1])
        self._pass_over(start.end())

    def _finish(self) -> None:
        self._at += 1
        while not self._data[self._at :].strip():
            self._pass_over(len(self._data))
            if not self._more():
                return
        raise IntakeError(
            f"{self._shown} goes on behind its JSON array, on line {self._line}: the rows of the"
            " array were read, the others were not; make one array of them"
        )

    def _skip_gap(self) -> bool:
        """Goes to the next element; False where there is none, nor an end of the array."""
        while True:
            gap = _GAP.match(self._data, self._at)
            assert gap is not None
            if gap.end() < len(self._data):
                break
            if not self._more():
                return False
            if gap.end() - gap.start() > MAX_LINE:
                self._pass_over(self._at + MAX_LINE)
        _, line_end, margin = gap[0].rpartition(b"\n")
        self._margin = line_end + margin if line_end else None
        self._pass_over(gap.end())
        return True

    def _pass_over(self, end: int) -> None:
        self._line += self._data.count(b"\n", self._at, end)
        self._at = end

    def _end_of_element(self) -> int:
        while True:
            try:
                end = self._whole()
            except _TornError:
                end = self._next_alike()
            if end:
                return end
            if len(self._data) - self._at > MAX_ELEMENT:
                raise IntakeError(
                    f"{self._shown}, line {self._line}: an object is longer than {MAX_ELEMENT}"
                    " bytes or not closed: the rows before it were read, the others were not"
                )
            if self._at_end:
                raise self._cut_off()
            self._more()

    def _whole(self) -> int:
        """Where the element ends; 0 if that is not known yet."""
        data, at = self._data, self._at
        if flat := _FLAT.match(data, at):
            return flat.end()
        if bare := _BARE.match(data, at):
            return bare.end() if bare.end() < len(data) or self._at_end else 0
        depth = 0
        for token in _TOKEN.finditer(data, at):
            kind = data[token.start()]
            if kind == 0x22:
                if not token[1]:
                    if token.end() < len(data) - 1:
                        raise _TornError
                    return 0
            else:
                depth += 1 if kind in b"[{" else -1
            if depth <= 0:
                return token.end()
        return 0

    def _next_alike(self) -> int:
        """Where a line begins as that of this torn element does; the end of all if none does."""
        if self._margin is None:
            raise IntakeError(
                f"{self._shown}, line {self._line}: a text in an object is not closed: the rows"
                " before it were read, the others were not"
            )
        found = self._data.find(self._margin + b"{", self._at + 1)
        if found >= 0:
            return found
        if self._at_end:
            self._in_array = False
            return len(self._data)
        return 0

    def _more(self) -> bool:
        """Reads on, at least as much as is there; False at the end."""
        if self._fault is not None:
            raise self._fault
        rest = self._data[self._at :]
        parts, size = [rest], 0
        try:
            while not self._at_end and size <= len(rest):
                block = self._read()
                self._at_end = not block
                parts.append(block)
                size += len(block)
        except IntakeError as fault:
            if not size:
                raise
            self._fault = fault
        self._data, self._at = b"".join(parts), 0
        return size > 0

    def _cut_off(self) -> IntakeError:
        return IntakeError(
            f"{self._shown} ends amid its JSON: the rows up to there were read; get the whole"
            " file and send it again"
        )
