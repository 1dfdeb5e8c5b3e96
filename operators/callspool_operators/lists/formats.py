"""Which format a file is in, and which of its rows are left out (`--skip`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from callspool_operators.lists import IntakeError
from callspool_operators.lists.columns import (
    CONTACT_NUMBER,
    Naming,
    list_columns,
    name_columns,
    squash,
)
from callspool_operators.lists.json_rows import JsonRows
from callspool_operators.lists.objects import ObjectRows
from callspool_operators.lists.row import LEFT_OUT_BEFORE, Row
from callspool_operators.lists.source import Source
from callspool_operators.lists.table_rows import TableRows

_TABLE_NAMES = (".csv", ".tsv", ".tab")
_SHOWN_SHEETS = 8
_LINES_NAMES = (".jsonl", ".ndjson")

_IS_JSON = re.compile(rb'\s*(?:\[\s*)?\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\Z)|\s*\[\s*\Z')

Rows = TableRows | ObjectRows | JsonRows


def open_rows(source: Source, chosen: Mapping[str, str]) -> Rows:
    """Returns the rows of a source, its header read; raises `IntakeError`."""
    try:
        return _open_rows(source, chosen)
    except IntakeError as fault:
        if not source.other_sheets:
            raise
        others = ", ".join(map(repr, source.other_sheets[:_SHOWN_SHEETS]))
        raise IntakeError(f"{fault}; --sheet reads another of its sheets: {others}") from None


def _open_rows(source: Source, chosen: Mapping[str, str]) -> Rows:
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
    _refuse_json(source, suffix, first)
    source.settle_encoding()
    return TableRows(source, chosen)


def _refuse_json(source: Source, suffix: str, first: bytes) -> None:
    """Raises `IntakeError` for a table that is JSON, and for JSON that is none."""
    if first in (b"{", b"[") and _IS_JSON.match(source.first_line()):
        raise IntakeError(
            f"{source.shown} is JSON, whatever its name says: name it .json, or .jsonl if each"
            " line is an object"
        )
    if suffix == ".json":
        raise IntakeError(f"{source.shown} is no JSON list: it begins with neither [ nor {{")


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
    return is_nested and not name_columns([*fields], chosen).has(CONTACT_NUMBER)


_NO = frozenset(
    [
        *("", "0", "00", "0.0", "no", "n", "false", "f", "off", "none", "null", "nil", "nan"),
        *("n/a", "#n/a", "n.a.", "na", "-", "--", "\u2013", "\u2014", "?"),
        *("\u2717", "\u2718", "\u274c", "\u2610"),  # crosses and an empty box
        *("nein", "non", "nej", "nei", "ei", "não", "nao", "nee", "nie", "ne", "nem", "nu"),
        *(
            "hay\u0131r",
            "\u03cc\u03c7\u03b9",
            "нет",
            "否",
            "不",
            "いいえ",
            "아니요",
            "لا",
            "לא",
            "नहीं",
        ),
        *("falsch", "faux", "falso", "falsa", "fals", "onwaar", "vals", "falsk", "epätosi"),
        *("fałsz", "nepravda", "hamis", "ложь", "yanl\u0131\u015f"),
    ]
)
"""No and false, as spreadsheets and people write them; the first is empty."""
_SPEAKS = re.compile(
    r"(?:is|has)?(?:phone|call|marketing|email|sms)?"
    r"(?:donot(?:call|contact|phone|dial|disturb|solicit)|n?dnc|dnd|nocalls?|opt(?:ed)?out"
    r"|unsubscribed?|suppress(?:ed|ion)?|black?list(?:ed)?|blocklist(?:ed)?|blocked|c?tps|deceased"
    r"|nicht(?:mehr)?(?:anrufen|kontaktieren)|(?:anruf|werbe|kontakt)?sperre|sperrvermerk"
    r"|keine(?:werbung|anrufe)|robinson(?:liste)?|neplusappeler|nepasappeler|opposition|désinscrit"
    r"|bloctel|nollamar|listarobinson|nãoligar|naoligar|nãocontatar|nonchiamare|nietbellen"
    r"|belmeniet|ring(?:inte|ikke|ej)|nix|eisoittoja|niedzwonić|nevolat|незвонить|aramay\u0131n"
    r"|勿打|勿扰|电话勿扰|架電禁止|電話不可)"
    r"(?:c|flag|status|registered|list|date|of(?:calls?|phone|email|marketing))?"
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
                raise IntakeError(
                    f"{shown} has no column {column!r} (--skip-if): it has {list_columns(headers)}"
                )

    def check_objects(self, first: Sequence[Row], shown: str) -> None:
        """Raises `IntakeError` where none of a file's first objects has such a key."""
        if first and self.columns:
            keys = {squash(key) for row in first for key in _fields(row)}
            for column in self.columns:
                if squash(column) not in keys:
                    raise IntakeError(f"no object of {shown} has a key {column!r} (--skip-if)")

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
    row.reason = row.reason or f"{LEFT_OUT_BEFORE}{column} is set (--skip-if)"


def _fields(row: Row) -> dict[str, object]:
    try:
        return _decode(row.text.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
