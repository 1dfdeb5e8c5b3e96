"""Which format a file is in: by its name, else by its first character."""

from collections.abc import Mapping

from callspool.intake.errors import IntakeError
from callspool.intake.object_rows import ObjectRows
from callspool.intake.source import Source
from callspool.intake.table_rows import TableRows

_TABLE_NAMES = (".csv", ".tsv", ".tab")
_OBJECT_NAMES = (".jsonl", ".ndjson")


def open_rows(source: Source, chosen: Mapping[str, str]) -> TableRows | ObjectRows:
    """The rows of a source, its header read; raises `IntakeError`."""
    first = source.head().lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if source.suffix not in _TABLE_NAMES:
        if first == b"[":
            raise IntakeError(
                f"{source.shown} is one JSON array: write one object a line (jq -c '.[]' does)"
            )
        if first == b"{" or source.suffix in _OBJECT_NAMES:
            return ObjectRows(source, chosen)
    return TableRows(source, chosen)
