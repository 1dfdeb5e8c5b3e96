"""Lists given back: their rows are read again, with one column for each answer."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self, TypeAlias, cast

import msgspec

from callspool.request.identity import DIGEST_BYTES, NO_NUMBER, Scope, digester, number_digests
from callspool.request.raw_document import read_number
from callspool_ledger.reads.lookup import CONFLICT
from callspool_ledger.reads.views import CallEnd, DocumentStatus
from callspool_operators.lists import IntakeError
from callspool_operators.lists.columns import DOCUMENT_ID, Naming
from callspool_operators.lists.formats import Rows, open_rows
from callspool_operators.lists.row import Row
from callspool_operators.lists.row_checks import SeenRows
from callspool_operators.lists.source import STANDARD_INPUT, Source
from callspool_operators.lists.table_rows import TableRows
from callspool_operators.terminal.wording import local, plain


class Inputs:
    """The files of a command; what can be read only once (a pipe) is kept on disk meanwhile.

    A context manager. Raises `IntakeError` for what cannot be read.
    """

    def __init__(
        self,
        names: Sequence[str],
        stdin: BinaryIO,
        codec: str | None = None,
        sheet: str | None = None,
    ) -> None:
        self.names = names
        self._codec = codec
        self._sheet = sheet
        self._stdin = stdin
        self._copies: dict[str, BinaryIO] = {}
        self._stack = ExitStack()

    def streams(self) -> Mapping[str, BinaryIO]:
        """The copies, each at its start."""
        for copy in self._copies.values():
            copy.seek(0)
        return self._copies

    def rows(self, name: str, chosen: Mapping[str, str], stack: ExitStack) -> tuple[Source, Rows]:
        """The rows of one file from its start, and where they come from."""
        source = stack.enter_context(
            Source(name, self.streams().get(name), self._codec, self._sheet)
        )
        return source, open_rows(source, chosen)

    def __enter__(self) -> Self:
        for name in self.names:
            path = Path(name)
            if name == STANDARD_INPUT:
                self._copy(name, self._stdin)
            elif path.exists() and not path.is_file() and not path.is_dir():
                with path.open("rb") as pipe:
                    self._copy(name, pipe)
        return self

    def _copy(self, name: str, stream: BinaryIO) -> None:
        file = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - entered here
        shutil.copyfileobj(stream, file)
        self._copies[name] = cast("BinaryIO", file)

    def __exit__(self, *_: object) -> None:
        self._stack.close()


ANSWERS = (
    "state",
    "reason",
    "document_id",
    "run_id",
    "task_id",
    "attempts",
    "accepted_at",
    "settled_at",
    "outcome",
    "call_status",
    "end_reason",
    "started_at",
    "ended_at",
    "duration",
    "rings",
    "duplicate_of",
    "line",
)
"""The columns beside those of the list."""

UNKNOWN = "unknown"
INVALID = "invalid"

_TOLD = len(ANSWERS) - 5
"""Cells that a document's status fills."""

_PLACE = 7
_FILE = 2


Find: TypeAlias = Callable[
    [Sequence[bytes], Sequence[str], Sequence[bytes]], list[DocumentStatus | None]
]
"""Finds where documents are, by their identities, ids and digests of their numbers."""


class AnsweredRow(NamedTuple):
    """A row and what stands beside it: a cell for each of `ANSWERS`.

    ``outcome``: what became of its call, "" where it was not created.
    """

    row: Row
    state: str
    cells: list[str]
    outcome: str = ""


class Answers:
    """Answers for the rows of one list, all in one scope.

    ``counts``: rows by state, those that repeat an earlier row under ``duplicate``; ``outcomes``:
    created ones by outcome. ``unknown``: the reason for documents that the ledger does not know.
    """

    def __init__(self, find: Find, scope: Scope, files: Sequence[str], unknown: str) -> None:
        self.counts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._find = find
        self._files = list(dict.fromkeys(files))
        self._digest = digester(scope)
        # Documents of one batch have most of these in common.
        self._moment = lru_cache(maxsize=10_000)(local)
        self._plain = lru_cache(maxsize=10_000)(plain)
        self._unknown = unknown

    def memory(self) -> SeenRows:
        """What a row has to remember for its duplicates: where it stands, and its identity."""
        return SeenRows(_PLACE + DIGEST_BYTES, self._note)

    def _note(self, row: Row) -> bytes:
        file = self._files.index(row.file).to_bytes(_FILE)
        return file + row.line.to_bytes(_PLACE - _FILE) + self._digest(row.document_id)

    def of(self, rows: Sequence[Row]) -> list[AnsweredRow]:
        """The answers for some rows, in their order. Raises `QueueUnavailable`."""
        asked = [row for row in rows if not row.reason]
        repeats = [row for row in asked if row.earlier]
        digests = [self._digest(row.document_id) for row in asked]
        digests += [row.earlier.noted[_PLACE:] for row in repeats if row.earlier]
        names = [row.document_id for row in (*asked, *repeats)]
        numbers = number_digests(read_number(row.raw) for row in asked)
        numbers += [NO_NUMBER] * len(repeats)
        found = iter(self._find(digests, names, numbers))
        own = {id(row): next(found) for row in asked}
        first = {id(row): next(found) for row in repeats}
        # A row with another's number may have been sent all the same, where numbers were shared.
        return [self._answer(row, own.get(id(row)) or first.get(id(row))) for row in rows]

    def _answer(self, row: Row, status: DocumentStatus | None) -> AnsweredRow:
        if row.reason:
            self.counts[INVALID] += 1
            nothing = [""] * (len(ANSWERS) - 3)
            cells = [INVALID, row.reason, *nothing, str(row.line)]
            return AnsweredRow(row, INVALID, cells)
        state = status.state if status else UNKNOWN
        self.counts["duplicate" if row.duplicate else state] += 1
        is_told = status is not None and state != CONFLICT
        found = self._answer_cells(status) if status and is_told else [""] * _TOLD
        reason = self._plain(status.reason or "") if status else self._unknown
        beside = [self._first_place(row.earlier.noted) if row.earlier else "", str(row.line)]
        outcome = (status.outcome or "") if status and is_told else ""
        self.outcomes[outcome] += bool(outcome) and not row.duplicate
        return AnsweredRow(row, state, [state, reason, row.document_id, *found, *beside], outcome)

    def _answer_cells(self, status: DocumentStatus) -> list[str]:
        return [
            status.run_id or "",
            status.task_id or "",
            str(status.attempts),
            self._moment(status.accepted_at),
            self._moment(status.settled_at) if status.settled_at else "",
            status.outcome or "",
            *self._call_cells(status.call),
        ]

    def _call_cells(self, call: CallEnd | None) -> list[str]:
        if call is None:
            return [""] * 6
        return [
            self._plain(call.call_status or ""),
            self._plain(call.end_reason or ""),
            self._moment(call.started_at) if call.started_at else "",
            self._moment(call.ended_at) if call.ended_at else "",
            str(call.duration),
            str(call.rings),
        ]

    def _first_place(self, note: bytes) -> str:
        line = f"line {int.from_bytes(note[_FILE:_PLACE])}"
        if len(self._files) == 1:
            return line
        return f"{self._files[int.from_bytes(note[:_FILE])]}, {line}"


MOST_COLUMNS = 2000

_Column = tuple[str, int]
"""A header, and how often it stood in the same file before."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_BOM = b"\xef\xbb\xbf"


class Grid:
    """What a list looks like as one table: the columns of its files, in order of appearance.

    ``has_ids``: whether a column holds ids of documents. ``marked``: whether the first file came
    as spreadsheets write it: with a byte order mark, or in an encoding of their own.
    """

    def __init__(self) -> None:
        self.has_ids = False
        self.marked = False
        self._columns: dict[_Column, int] = {}
        self._places: dict[str, list[int]] = {}

    @classmethod
    def of(cls, inputs: Inputs, chosen: Mapping[str, str]) -> "Grid":
        """Reads the header of each table, and all keys of JSON files; raises `IntakeError`."""
        grid = cls()
        for name in inputs.names:
            with ExitStack() as stack:
                source, rows = inputs.rows(name, chosen, stack)
                if name == inputs.names[0]:
                    grid.marked = source.marked or source.encoding != "UTF-8"
                if isinstance(rows, TableRows):
                    grid.has_ids |= DOCUMENT_ID in rows.columns.names
                    grid._places[name] = grid._add(rows.columns.headers, source.shown)
                else:
                    grid._add_keys(rows, chosen, source.shown)
        return grid

    @property
    def headers(self) -> list[str]:
        return [header for header, _ in self._columns]

    def cells(self, row: Row) -> list[str]:
        """The cells of a row; a row that fits no columns stands as it is in the first."""
        cells = [""] * len(self._columns)
        places = self._places.get(row.file)
        if places is None:
            self._put_fields(row, cells)
        elif row.cells and not any(map(str.strip, row.cells[len(places) :])):
            if row.reason:
                row.cells = [*map(_readable, row.cells)]
            for place, cell in zip(places, row.cells, strict=False):
                cells[place] = cell
        else:
            cells[0] = row.text.decode("utf-8", "backslashreplace").rstrip("\r\n")
        return cells

    def _put_fields(self, row: Row, cells: list[str]) -> None:
        try:
            fields = _fields(_object(row))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            cells[0] = row.text.decode("utf-8", "backslashreplace").rstrip("\r\n")
            return
        for key, value in fields.items():
            place = self._columns.get((key, 0))
            if place is not None:
                cells[place] = _cell(bytes(value))

    def _add_keys(self, rows: Iterable[Row], chosen: Mapping[str, str], shown: str) -> None:
        seen: set[tuple[str, ...]] = set()
        for row in rows:
            try:
                keys = tuple(_fields(_object(row)))
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                continue
            if keys in seen:
                continue
            if len(seen) < MOST_COLUMNS:
                seen.add(keys)
            self._add(keys, shown)
            self.has_ids = self.has_ids or _names_ids(keys, chosen)
        self._add(["row"] if not self._columns else [], shown)

    def _add(self, headers: Sequence[str], shown: str) -> list[int]:
        """Takes in the columns of a file, or of an object; returns their places."""
        times: Counter[str] = Counter()
        places = []
        for header in headers:
            column = header, times[header]
            times[header] += 1
            places.append(self._columns.setdefault(column, len(self._columns)))
        if len(self._columns) > MOST_COLUMNS:
            raise IntakeError(f"{shown} has more than {MOST_COLUMNS} columns: is it one list?")
        return places


def _names_ids(keys: Sequence[str], chosen: Mapping[str, str]) -> bool:
    naming = Naming(keys)
    for column, field in chosen.items():
        if (place := naming.place_of(column)) is not None:
            naming.choose(place, field)
    naming.name_the_others()
    return naming.has(DOCUMENT_ID)


def _object(row: Row) -> bytes:
    return row.text.removeprefix(_BOM)


def _cell(value: bytes) -> str:
    """A JSON value as a cell: a string without its quotes, nothing for null, else as it stands."""
    if value == b"null":
        return ""
    try:
        return _text(value) if value[:1] == b'"' else value.decode()
    except (msgspec.DecodeError, UnicodeError):
        return value.decode("utf-8", "backslashreplace")


def _readable(cell: str) -> str:
    """A cell with its bytes that are no UTF-8 spelled out."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
