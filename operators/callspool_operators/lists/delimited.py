"""Delimited text: its lines, quotes that are not closed, and cells that a spreadsheet may open.

A spreadsheet runs a cell that starts with ``=``, ``+``, ``-`` or ``@`` as a formula, whatever
quotes CSV puts around it, and turns ``00417`` into 417 and ``919876543210`` into 9.19877E+11. An
apostrophe in front makes any of them text, in every spreadsheet and for every reader. (``="…"``
would be a formula itself, a tab is trimmed by some and dangerous in others.) Reading takes the
apostrophe off again, so that a list that comes back holds the same ids and numbers.

A quote within a quoted cell is to be written twice. Programs that join texts by hand leave it as it
is (``"Robert "Bob" Smith"``), others put a backslash before it. Such a line is read where there is
one way to read it, else not at all: a line that is read the wrong way gains or loses a cell, and
somebody is called at what stands in the next column.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

MAX_LINE = 1024 * 1024
"""Bytes of a line, at most: more than a create-call may carry."""

_LINE_END = re.compile(rb"\r\n|\r|\n")


def blocks_of_lines(read: Callable[[], bytes]) -> Iterator[list[bytes]]:
    """As `whole_lines`, a list for each block."""
    return (block.splitlines(keepends=True) for block in whole_lines(read))


def whole_lines(read: Callable[[], bytes]) -> Iterator[bytes]:
    r"""Yields the lines of what ``read`` returns until it returns nothing, many in each block.

    Lines end with ``\n``, ``\r\n`` or ``\r`` and keep their end. One longer than `MAX_LINE`
    comes cut, but still longer than `MAX_LINE`, so that it can be told.
    """
    rest = b""
    while block := read():
        data = rest + block
        end = _end_of_lines(data)
        if end:
            yield data[:end]
            rest = data[end:]
        elif len(data) > MAX_LINE and not data.endswith(b"\r"):
            yield data[: MAX_LINE + 1]
            rest = _behind_this_line(read)
        else:
            rest = data
    if rest:
        yield rest


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


ESCAPED = '\\"'
TWO_WAYS = (
    "its backslashes can be read in two ways: put cells with quotes or delimiters in quotes, and"
    ' write a quote within them as ""'
)

_QUOTE = '"'
_STAND_IN, _NO_DELIMITER = "\ufdd0", "\ufdd1"  # no characters; nobody sends them
_FOLDER = re.compile(r"\s*(?:[A-Za-z]:|\\\\).*", re.DOTALL).match
_MOST_EXTRA = 20
"""Delimiters within the quoted cells of one line, at most."""


def loose_cells(line: str, delimiter: str, columns: int) -> list[str] | None:
    """Returns the cells of one line if exactly one reading has as many cells as there are columns.

    A reading joins neighbouring parts into a cell where the first begins with a quote and the last
    ends with one.
    """
    if ESCAPED in line:
        cells = _split_unescaping(line, delimiter)
        if cells is not None and len(cells) == columns:
            return cells
    reader = _reader(line.rstrip("\r\n").split(delimiter), delimiter, columns)
    return _texts(reader[0]) if len(reader) == 1 else None


def settle_escapes(cells: list[str], text: str, delimiter: str, columns: int) -> list[str] | None:
    r"""Returns the cells of a record with ``\"`` or ``\,`` where both ways of reading it agree.

    ``cells``: the record as it is when a backslash means itself. None where cells would shift.
    """
    escaped = _split_unescaping(text, delimiter)
    if escaped is None or len(escaped) > columns >= len(cells):
        return cells
    if len(cells) > columns or [cell.replace(ESCAPED, _QUOTE) for cell in cells] == escaped:
        return escaped
    # Cells that end with a backslash are folders, in a row that is whole with them alone.
    is_plain = all(map(_FOLDER, filter(_ends_with_backslash, cells))) and ESCAPED not in text
    return cells if is_plain and len(cells) == columns > len(escaped) else None


def _ends_with_backslash(cell: str) -> bool:
    return cell.endswith("\\")


def _split_unescaping(text: str, delimiter: str) -> list[str] | None:
    """The record's cells if a backslash before a quote or delimiter makes it part of the cell."""
    if _STAND_IN in text or _NO_DELIMITER in text:
        return None
    text = text.replace(ESCAPED, _STAND_IN).replace("\\" + delimiter, _NO_DELIMITER)
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        cells, *others = reader
    except (csv.Error, ValueError):
        return None
    if others:
        return None
    return [cell.replace(_STAND_IN, _QUOTE).replace(_NO_DELIMITER, delimiter) for cell in cells]


def _reader(parts: Sequence[str], delimiter: str, columns: int) -> list[list[str]]:
    """Two of the ways to join the parts to as many cells as there are columns, at most."""
    extra = len(parts) - columns
    if columns < 1 or not 0 <= extra <= _MOST_EXTRA:
        return []
    # For each number of joins so far: the readings of the parts before this one.
    found: list[dict[int, list[list[str]]]] = [{0: [[]]}, *({} for _ in parts)]
    for start in range(len(parts)):
        for more in range(min(extra, len(parts) - start - 1) + 1):
            cell = delimiter.join(parts[start : start + more + 1])
            if _is_cell(cell, delimiter, is_joined=more > 0):
                _go_on(found[start], found[start + more + 1], cell, more, extra)
            if _is_clean(cell):
                break
    return found[-1].get(extra, [])


def _go_on(
    before: dict[int, list[list[str]]],
    behind: dict[int, list[list[str]]],
    cell: str,
    more: int,
    extra: int,
) -> None:
    """Adds the cell to the reader before it; of more than two, two are enough to know."""
    for joined, reader in before.items():
        if joined + more <= extra:
            some = behind.setdefault(joined + more, [])
            some += [[*reading, cell] for reading in reader][: 2 - len(some)]


def _is_cell(cell: str, delimiter: str, *, is_joined: bool) -> bool:
    """Whether this can be one cell: quotes that open it are closed, and it holds no other cell."""
    bare = cell.strip()
    if not bare.startswith(_QUOTE):
        return not is_joined
    if bare.count(_QUOTE) % 2:
        return False
    holds_another = f'"{delimiter}"' in bare[1:-1].replace(" ", "")
    return not is_joined or (bare.endswith(_QUOTE) and not holds_another)


def _is_clean(cell: str) -> bool:
    """Whether this is a quoted cell as it is to be written, which ends here."""
    bare = cell.strip()
    is_quoted = len(bare) > 1 and bare[0] == bare[-1] == _QUOTE
    return is_quoted and _QUOTE not in bare[1:-1].replace('""', "")


def _texts(cells: Sequence[str]) -> list[str] | None:
    """What the cells hold; None where a quote may be part of the text or not."""
    texts = [text for text in map(_text, cells) if text is not None]
    return texts if len(texts) == len(cells) else None


def _text(cell: str) -> str | None:
    bare = cell.strip()
    if not bare.startswith(_QUOTE):
        return cell
    second = bare.find(_QUOTE, 1)
    opens = bare[second - 1] in f" ({_QUOTE}" or second == len(bare) - 1
    closes = bare[second + 1 : second + 2] in ("", " ", ")")
    if opens and bare.endswith(_QUOTE):
        return bare[1:-1].replace('""', _QUOTE)
    return bare if closes and not opens else None


APOSTROPHE = "'"

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"  # the wide forms start formulas in some languages
_FORMULA = rf"\s*[{_SIGNS}\t\r\n\0]"
_NUMBER = r"(?:0\d+|\d{12,}|\d+[eE][+-]?\d+)\s*\Z"
_AT_START = re.compile(f"{_FORMULA}|{_NUMBER}").match


class _Within(NamedTuple):
    """What begins a cell within a cell for a spreadsheet that takes another delimiter."""

    bare: re.Pattern[str]
    shielded: re.Pattern[str]


def _within(breaks: str) -> _Within:
    begin = rf"([{breaks}]\s*)"
    return _Within(re.compile(f"{begin}(?=[{_SIGNS}])"), re.compile(f"{begin}'(?=[{_SIGNS}])"))


# A cell with a comma is in quotes where the comma is the delimiter.
_WITHIN_COMMAS = _within(r";|\t\r\n")
_WITHIN_OTHERS = _within(r",;|\t\r\n")
_BREAKS = re.compile(r"[,;|\t\r\n]").search

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def shielded_row(cells: Sequence[str], delimiter: str = ",") -> list[str]:
    """Returns the cells of a row, each `shield`; what cannot need it is passed over quickly."""
    if _BREAKS("".join(cells)):
        return [shield(cell, delimiter) for cell in cells]
    return [
        cell if not cell or cell[0] in _LETTERS or not _AT_START(cell) else APOSTROPHE + cell
        for cell in cells
    ]


def shield(cell: str, delimiter: str = ",") -> str:
    """Returns a cell as it can be written: with an apostrophe before what is dangerous."""
    return _shield(cell, _WITHIN_COMMAS if delimiter == "," else _WITHIN_OTHERS)


def _shield(cell: str, within: _Within) -> str:
    if _BREAKS(cell):
        cell = within.bare.sub(r"\1'", cell)
    return APOSTROPHE + cell if _AT_START(cell) else cell


def unshield(cell: str) -> str:
    """Returns the cell as it was before `shield`, with any delimiter; other apostrophes stay."""
    if APOSTROPHE not in cell:
        return cell
    for within in (_WITHIN_OTHERS, _WITHIN_COMMAS):
        bare = within.shielded.sub(r"\1", cell.removeprefix(APOSTROPHE))
        if _shield(bare, within) == cell:
            return bare
    return cell
