"""The rows of all files, in order, and the file of those that are refused or duplicates."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from callspool.request.checks import Rules
from callspool_operators.lists import COUNTRY_REMEDY, READ_AS, IntakeError, UnknownCountry
from callspool_operators.lists.columns import DOCUMENT_ID
from callspool_operators.lists.encodings import UTF8
from callspool_operators.lists.formats import Rows, Skipping, open_rows
from callspool_operators.lists.objects import fields_of
from callspool_operators.lists.rejects import RejectsFile, layout_of
from callspool_operators.lists.row import Likeness, Row, RowCounts
from callspool_operators.lists.row_checks import RowChecker, SeenRows
from callspool_operators.lists.source import STANDARD_INPUT, Source
from callspool_operators.lists.table_rows import TableRows

FIRST_FAULTS = 5
SHOWN_NAMES = 2
OBJECTS_LOOKED_AT = 1000
"""JSON objects one of which has to have the key of ``--skip-if``."""
_KINDS_OF_FAULTS = 100
_OTHER_FAULTS = "other reasons"


Renamed = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeOptions:
    """``columns``: fields chosen for columns (header → field, ``-`` leaves one out).

    ``limit``: good rows, at most; nothing is read beyond them. ``id_prefix``: stands before every
    id that a row gives. ``memory``: what duplicates are to know of the row that came first.
    ``compares_rows``: whether rows are compared with earlier ones, which takes memory for each.
    ``is_foreign``: whether the files come from a stranger, so that reading has tighter bounds.
    """

    rules: Rules = field(default_factory=Rules)
    columns: Mapping[str, str] = field(default_factory=dict)
    allow_shared_numbers: bool = False
    limit: int | None = None
    id_prefix: str = ""
    memory: SeenRows | None = None
    codec: str | None = None
    skip_if: Sequence[str] = ()
    sheet: str | None = None
    compares_rows: bool = True
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class FileView:
    """A file before its rows are read: ``renamed`` lists header → field where they differ.

    ``extra`` are the columns that travel along as extra fields. Of JSON, both are of the keys of
    the first object. ``format``: for people, with the encoding if it is not UTF-8, such as
    ``CSV, Windows-1252``. ``titles``: lines above the names of the columns that were passed over.
    ``has_ids``: False for a table without a column of ids.
    """

    name: str
    format: str
    renamed: Renamed = ()
    extra: Sequence[str] = ()
    titles: Sequence[str] = ()
    has_ids: bool = True


class Intake:
    """Iterates over the rows of files, once, in memory that does not grow with the files.

    (Except for some 80 bytes for each contact: what it takes to know it again.) `inspect` first, so
    that a file that cannot be read is known before the first row of another is sent. ``streams``:
    what to read in place of the files of these names.
    """

    def __init__(
        self,
        files: Sequence[str],
        options: IntakeOptions,
        *,
        rejects: RejectsFile | None = None,
        duplicates: RejectsFile | None = None,
        stdin: BinaryIO | None = None,
        streams: Mapping[str, BinaryIO] | None = None,
    ) -> None:
        self.files = files
        self.counts = RowCounts()
        self.faults: Counter[str] = Counter()
        """Reasons for refusing rows, with the number of rows."""
        self.first_faults: list[Row] = []
        self.likenesses: Counter[Likeness] = Counter()
        """Duplicates by what they have in common with an earlier row."""
        self.first_duplicates: list[Row] = []
        self.ends_at_unknown_country = False
        """Whether the first number of an unknown country ends the reading (`UnknownCountry`)."""
        self.lettered_names: list[str] = []
        """The first names with letters beyond ASCII: a wrong encoding shows in them."""
        self.encodings: dict[str, str] = {}
        """Files that are not in UTF-8, and what they are in."""
        self._options = options
        self._rejects = rejects
        self._duplicates = duplicates
        given = {} if stdin is None else {STANDARD_INPUT: stdin}
        self._streams = {**given, **(streams or {})}
        self._source: Source | None = None
        self._done = 0

    def inspect(self) -> list[FileView]:
        """Looks at the first line of each file that can be read twice; raises `IntakeError`."""
        if self.files.count(STANDARD_INPUT) > 1:
            raise IntakeError("standard input (-) can be read only once: name it once")
        return [self._view(name) for name in self.files if name != STANDARD_INPUT]

    def _view(self, name: str) -> FileView:
        path = Path(name)
        if path.exists() and not path.is_file() and not path.is_dir():
            return FileView(name, "stream")
        with Source(name, None, self._options.codec, self._options.sheet) as source:
            rows = open_rows(source, self._options.columns)
            if isinstance(rows, TableRows):
                columns, shown = (
                    rows.columns,
                    _show_format("spreadsheet" if source.is_sheet else "CSV", source),
                )
                Skipping(self._options.skip_if).check(columns.headers, source.shown)
                fields = columns.list_renames(), columns.extra()
                return FileView(name, shown, *fields, rows.titles, DOCUMENT_ID in columns.names)
            shown = _show_format(rows.format, source)
            first = [*islice(rows, OBJECTS_LOOKED_AT if self._options.skip_if else 1)]
            Skipping(self._options.skip_if).check_objects(first, source.shown)
            # What is wrong with the first object is told later.
            named = fields_of(first[0].text, self._options.columns) if first else ((), ())
            return FileView(name, shown, *named)

    @property
    def bytes_read(self) -> int:
        """Bytes of all files taken so far."""
        return self._done + (self._source.done if self._source else 0)

    @property
    def can_be_read_again(self) -> bool:
        """Whether no file is a pipe or standard input."""
        return all(name != STANDARD_INPUT and Path(name).is_file() for name in self.files)

    def bytes_total(self) -> int | None:
        """Returns the bytes of all files; None where one has no size."""
        if not self.can_be_read_again:
            return None
        return sum(Path(name).stat().st_size for name in self.files)

    def __iter__(self) -> Iterator[Row]:
        """Every row that holds anything, with its reason or mark if it is not good.

        Raises `IntakeError` where a file cannot be read (on).
        """
        options = self._options
        checker = RowChecker(
            options.rules,
            allow_shared_numbers=options.allow_shared_numbers,
            memory=options.memory,
            id_prefix=options.id_prefix,
            compares_rows=options.compares_rows,
            expect=self._expect_rows,
        )
        if options.skip_if and (self.can_be_read_again or self._are_streams):
            self._bar_left_out(checker)
        for name in self.files:
            with self._open(name) as source:
                self._source = source
                rows = open_rows(source, options.columns)
                try:
                    yield from self._count_rows(rows, checker)
                finally:
                    if source.encoding != UTF8:
                        self.encodings[name] = source.encoding
                    for kept in filter(None, (self._rejects, self._duplicates)):
                        kept.describe(name, layout_of(source, rows))
                if self.counts.good == options.limit:
                    return
                self._source, self._done = None, self._done + source.done

    @property
    def _are_streams(self) -> bool:
        """Whether every file is a stream that is read in its place, from its beginning."""
        return all(name != STANDARD_INPUT and name in self._streams for name in self.files)

    def _open(self, name: str) -> Source:
        options, stream = self._options, self._streams.get(name)
        if stream is not None and name != STANDARD_INPUT:
            stream.seek(0)
        return Source(name, stream, options.codec, options.sheet, is_foreign=options.is_foreign)

    def _expect_rows(self, count: int) -> int:
        """Estimates how many good rows there will be in all, from those so far."""
        total, limit = self.bytes_total(), self._options.limit
        if total and self.bytes_read:
            count = max(count, count * total // self.bytes_read)
        return count if limit is None else min(count, limit)

    def _bar_left_out(self, checker: RowChecker) -> None:
        """Looks for rows that are left out before any other row with their number is sent."""
        skipping = Skipping(self._options.skip_if)
        for name in self.files:
            with self._open(name) as source:
                rows = open_rows(source, self._options.columns)
                if isinstance(rows, TableRows):
                    skipping.check(rows.columns.headers, source.shown)
                for place, chunk in enumerate(rows.chunks()):
                    if place == 0 and not isinstance(rows, TableRows):
                        skipping.check_objects(chunk, source.shown)
                    skipping.apply(chunk, rows)
                    checker.bar(chunk)

    def _count_rows(self, rows: Rows, checker: RowChecker) -> Iterator[Row]:
        """The rows of one file, counted, up to the limit."""
        counts, limit = self.counts, self._options.limit
        for row in chain.from_iterable(self._check_rows(rows, checker)):
            counts.read += 1
            if row.reason:
                self._note(row)
            elif row.duplicate is not None:
                self._note_duplicate(row, row.duplicate)
            else:
                if row.without_country and self.ends_at_unknown_country:
                    raise _unknown_country(row)
                counts.good += 1
                if row.healed or row.without_country or row.beside is not None:
                    counts.add_marks(row, 1)
            yield row
            if counts.good == limit:
                return

    def put_back(self, rows: Sequence[Row]) -> None:
        """Counts good rows as if they had not been read."""
        for row in rows:
            self.counts.read -= 1
            self.counts.good -= 1
            self.counts.add_marks(row, -1)

    def _check_rows(self, rows: Rows, checker: RowChecker) -> Iterator[Sequence[Row]]:
        skipping = Skipping(self._options.skip_if)
        for chunk in rows.chunks():
            if skipping.columns:
                skipping.apply(chunk, rows)
                checker.bar(chunk)
            checker.check(chunk)
            if len(self.lettered_names) < SHOWN_NAMES:
                self._look_for_letters(chunk)
            yield chunk

    def _look_for_letters(self, rows: Sequence[Row]) -> None:
        names = [row.known.name for row in rows if row.known is not None and not row.reason]
        if not "".join(names).isascii():
            lettered = [name for name in names if not name.isascii()]
            self.lettered_names += lettered[: SHOWN_NAMES - len(self.lettered_names)]

    def _note_duplicate(self, row: Row, likeness: Likeness) -> None:
        self.counts.duplicate += 1
        self.likenesses[likeness] += 1
        if len(self.first_duplicates) < FIRST_FAULTS:
            self.first_duplicates.append(row)
        if self._duplicates is not None:
            self._duplicates.add(row)

    def _note(self, row: Row) -> None:
        self.counts.invalid += 1
        reason = row.reason
        if reason not in self.faults and len(self.faults) >= _KINDS_OF_FAULTS:
            reason = _OTHER_FAULTS
        self.faults[reason] += 1
        if len(self.first_faults) < FIRST_FAULTS:
            self.first_faults.append(row)
        if self._rejects is not None:
            self._rejects.add(row)


def _unknown_country(row: Row) -> UnknownCountry:
    return UnknownCountry(
        f"the number on line {row.line:,} has no country code: the platform reads it"
        f" {READ_AS}; {COUNTRY_REMEDY}; the rows from here on were not sent"
    )


def _show_format(kind: str, source: Source) -> str:
    parts = [kind, *([source.encoding] if source.encoding != UTF8 else [])]
    if source.other_sheets:
        parts.append(f"sheet {source.sheet!r} of {len(source.other_sheets) + 1}")
    return ", ".join([*parts, "gzip"] if source.packed else parts)
