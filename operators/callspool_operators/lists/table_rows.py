"""Rows of a CSV file: its header is found, and each row of cells becomes a document."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from callspool_operators.lists import IntakeError
from callspool_operators.lists.cells import NOT_GIVEN
from callspool_operators.lists.columns import (
    CONTACT_NUMBER,
    FIRST_NAMES,
    LAST_NAMES,
    SPELLINGS,
    looks_like_contact,
    map_columns,
    names_contact,
    squash,
)
from callspool_operators.lists.delimited import unshield, whole_lines
from callspool_operators.lists.document_writer import DocumentWriter
from callspool_operators.lists.row import LEFT_OUT_BEFORE, STILL_LEFT_OUT, Beside, Row, own_places
from callspool_operators.lists.source import Source
from callspool_operators.lists.table import LOOSE_QUOTES, BrokenRowError, Table, decode_line

DELIMITERS = (",", ";", "\t", "|")
MOST_TITLES = 20
"""Lines above the names of the columns, at most: a title, a date, a description."""

_KNOWN = {one for spellings in SPELLINGS.values() for one in spellings}
_KNOWN |= {*FIRST_NAMES, *LAST_NAMES}


class Header(NamedTuple):
    """``titles``: the lines above the names that were passed over."""

    delimiter: str
    names: list[str]
    titles: Sequence[str] = ()


class _Line(NamedTuple):
    """A line that may hold the names, read under each delimiter; the reason where none reads it."""

    found: Mapping[str, list[str]]
    reason: str = ""


def read_header(table: Table, chosen: Mapping[str, str], file: str) -> Header:
    """Returns the first line that names columns of a contact, else the first line at all.

    Of delimiters that wins under which most columns have a name that means something; where they
    are equal in that, the one that the file names itself (``sep=;``, maybe another sign), then the
    one with more columns, then comma, semicolon, tab, bar. Raises `IntakeError`.
    """
    wanted = _KNOWN | {squash(column) for column in chosen}
    try:
        table.skip_to_header()
        first = _read(table)
        if not first.found and not first.reason:
            raise IntakeError(f"{file} is empty: it needs a line of column names and rows")
        if not first.found:
            raise _unreadable(first.reason, file)
        best = _best(first.found, wanted, table.separator)
        if not names_contact(best.names, chosen):
            best = _below_titles(table, chosen, wanted) or best
        _take(table, best.delimiter)
    except BrokenRowError as fault:
        raise IntakeError(f"the first line of {file} is {fault}: is it a CSV file?") from None
    return best


def _best(found: Mapping[str, list[str]], wanted: set[str], separator: str) -> Header:
    def worth(one: str) -> tuple[int, bool, int]:
        return _name_columns(found[one], wanted), one == separator, len(found[one])

    delimiter = max(found, key=worth)
    return Header(delimiter, found[delimiter])


def _below_titles(table: Table, chosen: Mapping[str, str], wanted: set[str]) -> Header | None:
    """The names of the columns where they stand below a title; None if a contact comes first."""
    titles: list[bytes] = []
    while len(titles) <= MOST_TITLES:
        line = _read(table)
        if not line.found or any(map(looks_like_contact, line.found.values())):
            break
        best = _best(line.found, wanted, table.separator)
        if names_contact(best.names, chosen):
            shown = [_title(decode_line(title), best.delimiter) for title in titles]
            return best._replace(titles=[*filter(None, shown)])
        titles.append(table.pass_over())
    table.give_back(titles)
    return None


def _title(line: str, delimiter: str) -> str:
    return f"{delimiter} ".join(filter(None, map(str.strip, line.split(delimiter))))


def _take(table: Table, delimiter: str) -> None:
    """Takes the lines of the header, so that the rows come next."""
    records = table.records(delimiter)
    next(records)
    table.taken.clear()
    records.close()


def _name_columns(headers: Sequence[str], wanted: set[str]) -> int:
    return len({spelled for header in headers if (spelled := squash(header)) in wanted})


def _read(table: Table) -> _Line:
    """The first record under each delimiter; its lines are there to be read again."""
    own = (table.separator,) if table.separator else ()
    read = {one: _cells(table, one) for one in dict.fromkeys((*DELIMITERS, *own))}
    found = {one: cells for one, cells in read.items() if isinstance(cells, list)}
    reasons = [cells for cells in read.values() if isinstance(cells, str)]
    return _Line(found, reasons[0] if reasons else "")


def _cells(table: Table, delimiter: str) -> list[str] | str | None:
    records = table.records(delimiter)
    cells = next(records, None)
    table.give_back(list(table.taken))
    table.taken.clear()
    table.suspect = 0
    records.close()
    return cells


def _unreadable(reason: str, file: str) -> IntakeError:
    if reason == LOOSE_QUOTES:
        return IntakeError(f"the first line of {file} cannot be read: {reason}")
    return IntakeError(f"a quote in the first line of {file} is not closed: add or remove one")


def was_left_out(reason: str) -> bool:
    """Whether a row of a file of rejects was left out because of what its list says."""
    return unshield(reason).startswith(LEFT_OUT_BEFORE)


NOT_UTF8 = "is not valid UTF-8: save the file as UTF-8"
_NOTHING = b"{}"
_NO_LINE_FEED = re.compile(rb"\r(?!\n|\Z)").search


class TableRows:
    """The rows of a CSV file below its line of column names.

    Raises `IntakeError` for a header that cannot be used.
    """

    def __init__(self, source: Source, chosen: Mapping[str, str]) -> None:
        self._file = source.name
        self._table = Table(whole_lines(source.read))
        header = read_header(self._table, chosen, source.shown)
        self.delimiter, self.titles, self.headers = header.delimiter, header.titles, header.names
        self.columns = map_columns(header.names, chosen, source.shown)
        self._table.columns = len(header.names)
        self._is_rejects = bool(own_places(header.names))
        self._writer = DocumentWriter(self.columns)
        self._number = self.columns.names.index(CONTACT_NUMBER)

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.chunks())

    def chunks(self) -> Iterator[list[Row]]:
        """Yields the rows, as many at once as are at hand."""
        file = self._file
        for records in self._table.chunks(self.delimiter):
            rows = [
                Row(file, line, text, cells=cells)
                if isinstance(cells, list)
                else Row(file, line, text, reason=cells)
                for line, text, cells in records
            ]
            self._write_documents(rows)
            yield [row for row in rows if row.raw != _NOTHING or any(map(str.strip, row.cells))]

    def every_number_has_a_plus(self) -> bool:
        """Whether it is plain from the lines that each number begins with a ``+``; takes them all.

        A row may begin on any line, so each is looked at as if one did.
        """
        other = re.escape(self.delimiter)
        cell = rf'(?:[^"{other}\r\n]*+|"[^"\n]*+"){other}'
        row = rf"{cell * self._number} *\"?[ ']*\+|[\r\n]|\Z"
        # One for both would not be searched for by its first byte, and take twice as long.
        odd, other_end = re.compile(rf"\n(?!{row})".encode()).search, _NO_LINE_FEED
        return not any(odd(b"\n" + block) or other_end(block) for block in self._table.blocks())

    def number_cells(self) -> Iterator[str]:
        """Yields the cells with the numbers that are called; what is no row is passed over."""
        places = (self._number, *self.columns.other_numbers)
        for records in self._table.chunks(self.delimiter):
            for _, _, cells in records:
                if isinstance(cells, list):
                    given = (cells[at] for at in places if len(cells) > at)
                    yield next((cell for cell in given if cell and cell not in NOT_GIVEN), "")

    def _write_documents(self, rows: Sequence[Row]) -> None:
        """Fills in the documents of the rows that are whole, and why the others are not."""
        columns = len(self.columns.names)
        for row in rows:
            if len(row.cells) != columns and not row.reason:
                row.reason = self._fault_of_shape(row.cells)
            elif self._is_rejects and row.cells and was_left_out(row.cells[-1]):
                row.reason = row.reason or STILL_LEFT_OUT
        whole = [row for row in rows if not row.reason]
        if whole:
            self._write(whole)

    def _write(self, rows: Sequence[Row]) -> None:
        try:
            documents = self._writer.write(
                [_bare(row) if b"'" in row.text else row.cells for row in rows]
            )
        except ValueError as lost:
            if len(rows) > 1:
                half = len(rows) // 2
                self._write(rows[:half])
                self._write(rows[half:])
                return
            rows[0].reason = NOT_UTF8 if isinstance(lost, UnicodeEncodeError) else str(lost)
            return
        for row, document in zip(rows, documents, strict=True):
            row.raw, row.known, row.healed = document
        if self.columns.answered_ids:
            self._mark_answered_ids(rows)
        if self.columns.other_numbers:
            self._mark_other_numbers(rows)

    def _mark_answered_ids(self, rows: Sequence[Row]) -> None:
        for row in rows:
            cells, places = row.cells, self.columns.answered_ids
            row.has_whole_id = any(cells[at : at + 1] and cells[at].strip() for at in places)

    def _mark_other_numbers(self, rows: Sequence[Row]) -> None:
        for row in rows:
            own = "".join(row.cells[self._number : self._number + 1]).strip()
            is_given = own and own not in NOT_GIVEN
            if not is_given and row.known and row.known.contact_number not in ("", own):
                row.beside = Beside.OTHER

    def _fault_of_shape(self, cells: Sequence[str]) -> str:
        columns = len(self.columns.names)
        if len(cells) > columns and any(map(str.strip, cells[columns:])):
            return f"has {len(cells)} cells, but the file has {columns} columns"
        return ""


def _bare(row: Row) -> Sequence[str]:
    return [*map(unshield, row.cells)]
