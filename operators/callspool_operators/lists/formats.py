"""Which format a file is in: by its name, else by its first character."""

from collections.abc import Mapping

import msgspec

from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.json_rows import JsonRows
from callspool_operators.lists.object_rows import ObjectRows
from callspool_operators.lists.objects import naming_of
from callspool_operators.lists.source import Source
from callspool_operators.lists.spellings import CONTACT_NUMBER
from callspool_operators.lists.table_rows import TableRows

_TABLE_NAMES = (".csv", ".tsv", ".tab")
_LINES_NAMES = (".jsonl", ".ndjson")

Rows = TableRows | ObjectRows | JsonRows


def open_rows(source: Source, chosen: Mapping[str, str]) -> Rows:
    """The rows of a source, its header read; raises `IntakeError`."""
    first = source.head().lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    suffix = source.suffix
    if source.is_sheet:
        return TableRows(source, chosen)
    if suffix in _LINES_NAMES:
        if first == b"[":
            raise IntakeError(f"{source.shown} is no JSON Lines but a JSON array: name it .json")
        return ObjectRows(source, chosen)
    if suffix not in _TABLE_NAMES:
        if first == b"[" or (first == b"{" and _is_read_whole(source.first_line(), chosen)):
            return JsonRows(source, chosen)
        if first == b"{":
            return ObjectRows(source, chosen)
    source.settle_encoding()
    return TableRows(source, chosen)


def _is_read_whole(line: bytes, chosen: Mapping[str, str]) -> bool:
    """Whether the object on the first line goes on on the next, or holds a list of contacts."""
    bare = line.strip()
    if not bare.endswith(b"}"):
        return True
    try:
        fields = msgspec.json.decode(bare, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False
    is_nested = any(bytes(value).lstrip()[:1] in (b"[", b"{") for value in fields.values())
    return is_nested and not naming_of([*fields], chosen).has(CONTACT_NUMBER)
