"""Which format a file is in: by its name, else by its first character."""

from collections.abc import Mapping

from callspool_operators.lists.array_rows import ArrayRows
from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.object_rows import ObjectRows
from callspool_operators.lists.source import Source
from callspool_operators.lists.table_rows import TableRows

_TABLE_NAMES = (".csv", ".tsv", ".tab")
_LINES_NAMES = (".jsonl", ".ndjson")
_GOES_ON = (b",", b"{", b"[")

Rows = TableRows | ObjectRows | ArrayRows


def open_rows(source: Source, chosen: Mapping[str, str]) -> Rows:
    """The rows of a source, its header read; raises `IntakeError`."""
    first = source.head().lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    suffix = source.suffix
    if suffix in _LINES_NAMES:
        if first == b"[":
            raise IntakeError(f"{source.shown} is no JSON Lines but a JSON array: name it .json")
        return ObjectRows(source, chosen)
    if suffix not in _TABLE_NAMES:
        if first == b"[" or (first == b"{" and _is_spread(source.first_line())):
            return ArrayRows(source, chosen)
        if first == b"{":
            return ObjectRows(source, chosen)
    source.settle_encoding()
    return TableRows(source, chosen)


def _is_spread(line: bytes) -> bool:
    """Whether an object that begins on this line goes on on the next one."""
    return line.rstrip().endswith(_GOES_ON)
