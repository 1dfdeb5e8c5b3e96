"""Lines whose quotes are not doubled: read where there is one way to read them, else not at all.

A quote within a quoted cell is to be written twice. Programs that join texts by hand leave it as it
is (``"Robert "Bob" Smith"``), others put a backslash before it. A line that is read the wrong way
gains or loses a cell, and somebody is called at what stands in the next column.
"""

import csv
from collections.abc import Sequence

ESCAPED = '\\"'
TWO_WAYS = 'its quotes can be read in two ways: write a quote within a quoted cell as ""'

_QUOTE = '"'
_STAND_IN = "\ufdd0"  # no character; nobody sends it
_MOST_EXTRA = 20
"""Delimiters within the quoted cells of one line, at most."""


def loose_cells(line: str, delimiter: str, columns: int) -> list[str] | None:
    """The cells of one line if exactly one reading has as many cells as there are columns.

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
    r"""The cells of a record that holds ``\"``, where both ways of reading it agree.

    ``cells``: the record as it is when a backslash means itself. None where cells would shift.
    """
    escaped = _split_unescaping(text, delimiter)
    if escaped is None or len(escaped) > columns >= len(cells):
        return cells
    if len(cells) > columns or [cell.replace(ESCAPED, _QUOTE) for cell in cells] == escaped:
        return escaped
    return None


def _split_unescaping(text: str, delimiter: str) -> list[str] | None:
    """The record's cells if a backslash before a quote makes it part of the cell."""
    if _STAND_IN in text:
        return None
    lines = text.replace(ESCAPED, _STAND_IN).splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        cells, *others = reader
    except (csv.Error, ValueError):
        return None
    return None if others else [cell.replace(_STAND_IN, _QUOTE) for cell in cells]


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
