"""Cells that a spreadsheet may open: never a formula, and numbers as they were written.

A spreadsheet runs a cell that starts with ``=``, ``+``, ``-`` or ``@`` as a formula, whatever
quotes CSV puts around it, and turns ``00417`` into 417 and ``919876543210`` into 9.19877E+11. An
apostrophe in front makes any of them text, in every spreadsheet and for every reader. (``="…"``
would be a formula itself, a tab is trimmed by some and dangerous in others.) Reading takes the
apostrophe off again, so that a list that comes back holds the same ids and numbers.
"""

import re
from collections.abc import Sequence

APOSTROPHE = "'"

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"  # the wide forms start formulas in some languages
_FORMULA = rf"\s*[{_SIGNS}\t\r\n\0]"
_NUMBER = r"(?:0\d+|\d{12,}|\d+[eE][+-]?\d+)\s*\Z"
_AT_START = re.compile(f"{_FORMULA}|{_NUMBER}").match
# Where a spreadsheet takes ; for the delimiter, a new cell begins within this one.
_WITHIN = re.compile(rf"([;\t\r\n]\s*)(?=[{_SIGNS}])")
_SHIELD_WITHIN = re.compile(rf"([;\t\r\n]\s*)'(?=[{_SIGNS}])")


_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def shielded_row(cells: Sequence[str]) -> list[str]:
    """The cells of a row, each `shield`; what cannot need it is passed over quickly."""
    whole = "".join(cells)
    if ";" in whole or "\n" in whole or "\t" in whole or "\r" in whole:
        return [*map(shield, cells)]
    return [
        cell if not cell or cell[0] in _LETTERS or not _AT_START(cell) else APOSTROPHE + cell
        for cell in cells
    ]


def shield(cell: str) -> str:
    """The cell as it can be written: itself, or with an apostrophe before what is dangerous."""
    if ";" in cell or "\n" in cell or "\t" in cell or "\r" in cell:
        cell = _WITHIN.sub(r"\1'", cell)
    return APOSTROPHE + cell if _AT_START(cell) else cell


def unshield(cell: str) -> str:
    """The cell as it was before `shield`; any other apostrophe stays."""
    if APOSTROPHE not in cell:
        return cell
    bare = _SHIELD_WITHIN.sub(r"\1", cell.removeprefix(APOSTROPHE))
    return bare if shield(bare) == cell else cell
