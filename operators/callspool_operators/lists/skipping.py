"""Rows that a column of their own list keeps from being called, such as *Do not call*."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.json_rows import JsonRows
from callspool_operators.lists.naming import Naming
from callspool_operators.lists.object_rows import ObjectRows
from callspool_operators.lists.row import Row
from callspool_operators.lists.spellings import squash
from callspool_operators.lists.table_rows import TableRows

_NO = frozenset(
    {"", "0", "0.0", "no", "n", "false", "f", "off", "none", "null", "-", "nein", "non", "nej"}
)
_SPEAKS = re.compile(
    r"donotcall|donotcontact|donotphone|dnc|nocalls?|optout|optedout|unsubscribed?|suppressed"
    r"|blacklisted|blocklisted|nichtanrufen|neplusappeler|nollamar"
)
_decode = msgspec.json.Decoder(dict[str, object]).decode


def is_set(value: object) -> bool:
    """Whether a cell or value means yes: it is there, and neither no, false nor 0."""
    return bool(value) and str(value).strip().casefold() not in _NO


def speaking(headers: Sequence[str]) -> list[str]:
    """Headers that say of a row that it must not be called."""
    return [header for header in headers if _SPEAKS.fullmatch(squash(header))]


@dataclass(frozen=True, slots=True)
class Skipping:
    """Refuses rows in which one of these columns (or keys) is set; see `is_set`."""

    columns: Sequence[str]

    def check(self, headers: Sequence[str], shown: str) -> None:
        """Raises `IntakeError` where a table has no such column."""
        for column in self.columns:
            if Naming(headers).place_of(column) is None:
                raise IntakeError(f"{shown} has no column {column!r} (--skip-if)")

    def apply(self, chunk: Sequence[Row], rows: TableRows | ObjectRows | JsonRows) -> None:
        """Fills in the reason of the rows that are left out."""
        if isinstance(rows, TableRows):
            naming = Naming(rows.columns.headers)
            places = [(column, naming.place_of(column)) for column in self.columns]
            for row in chunk:
                for column, place in places:
                    if place is not None and place < len(row.cells) and is_set(row.cells[place]):
                        _leave_out(row, column)
            return
        wanted = {squash(column): column for column in self.columns}
        for row in chunk:
            for key, value in _fields(row).items():
                meant = wanted.get(squash(key))
                if meant is not None and is_set(value):
                    _leave_out(row, meant)


def _leave_out(row: Row, column: str) -> None:
    row.reason = row.reason or f"left out: {column} is set (--skip-if)"


def _fields(row: Row) -> dict[str, object]:
    try:
        return _decode(row.text.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
