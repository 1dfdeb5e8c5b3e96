"""Physical lines of an input, in bounded memory."""

import re
from collections.abc import Callable, Iterator

MAX_LINE = 1024 * 1024
"""Bytes of a line, at most: more than a create-call may carry."""

_LINE_END = re.compile(rb"\r\n|\r|\n")


def blocks_of_lines(read: Callable[[], bytes]) -> Iterator[list[bytes]]:
    r"""The lines of what ``read`` returns until it returns nothing, a list for each block.

    Lines end with ``\n``, ``\r\n`` or ``\r`` and keep their end. One longer than `MAX_LINE`
    comes cut, but still longer than `MAX_LINE`, so that it can be told.
    """
    rest = b""
    while block := read():
        data = rest + block
        end = _end_of_lines(data)
        if end:
            yield data[:end].splitlines(keepends=True)
            rest = data[end:]
        elif len(data) > MAX_LINE and not data.endswith(b"\r"):
            yield [data[: MAX_LINE + 1]]
            rest = _behind_this_line(read)
        else:
            rest = data
    if rest:
        yield rest.splitlines(keepends=True)


def _end_of_lines(data: bytes) -> int:
    """Where the last whole line ends. A carriage return at the very end may be half a CRLF."""
    return data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1


def _behind_this_line(read: Callable[[], bytes]) -> bytes:
    """Reads on to the end of the line and returns what stands behind it."""
    while block := read():
        if end := _LINE_END.search(block):
            if block[end.start() :] == b"\r":
                return read().removeprefix(b"\n")
            return block[end.end() :]
    return b""
