"""Files of numbers that must not be called: read as they come, exported as keyed digests."""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from callspool.request.phone_reading import NumberError
from callspool.request.phones import identify
from callspool_ledger.guard import (
    ExportedEntry,
    GuardKey,
    ListNameError,
    ListSource,
    list_name,
)
from callspool_ledger.guard.numbers import DIGEST_BYTES
from callspool_operators.lists import IntakeError
from callspool_operators.lists.cells import healed_number, read_cell
from callspool_operators.lists.columns import (
    ALTERNATE,
    CONTACT_NUMBER,
    list_columns,
    looks_like_contact,
    name_columns,
)
from callspool_operators.lists.delimited import blocks_of_lines, unshield, whole_lines
from callspool_operators.lists.formats import open_rows
from callspool_operators.lists.outfile import OutFile, OutPlace
from callspool_operators.lists.source import STANDARD_INPUT, Source
from callspool_operators.lists.table import Table
from callspool_operators.lists.table_rows import read_header

_PLAIN = re.compile(r"\+?[0-9]{7,15}").fullmatch
_TABLE_NAMES = (".csv", ".tsv", ".tab", ".txt")
UNREADABLE_ROW = ""
"""What a row yields in which no number can be looked for."""


class _RowNumbers(msgspec.Struct, gc=False):
    contact_number: object = ""
    alternate_number: object = ""


_decode = msgspec.json.Decoder(_RowNumbers).decode


def numbers_in(source: Source, chosen: Mapping[str, str], region: str | None) -> Iterator[str]:
    """Yields the numbers of a file as they are written, in constant memory.

    A table needs no names of columns where its first line holds a number already; JSON has
    ``contact_number``. ``chosen``: fields of columns (header → field). Raises `IntakeError`.
    """
    first = source.head().lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first in (b"{", b"[") and source.suffix not in _TABLE_NAMES and not source.is_sheet:
        for row in open_rows(source, chosen):
            yield from _of_json(row.raw or row.text, region)
        return
    if not source.is_sheet:
        source.settle_encoding()
    for cell in _cells(source, chosen):
        yield from _numbers_of_cell(unshield(cell.strip()), region)


def _of_json(raw: bytes, region: str | None) -> Iterator[str]:
    try:
        found = _decode(raw)
    except msgspec.DecodeError:
        yield UNREADABLE_ROW
        return
    numbers = (found.contact_number, found.alternate_number)
    given = [str(each).strip() for each in numbers if each]
    for number in given or [UNREADABLE_ROW]:
        yield from _numbers_of_cell(number, region) if number else [UNREADABLE_ROW]


def _cells(source: Source, chosen: Mapping[str, str]) -> Iterator[str]:
    """The cells of the columns that hold numbers."""
    table = Table(whole_lines(source.read))
    header = read_header(table, chosen, source.shown)
    names = header.names
    if looks_like_contact(names):  # there are no names: this is a row
        places = [at for at, cell in enumerate(names) if looks_like_contact([cell])]
        yield from (names[at] for at in places)
    else:
        places = _places(names, chosen, source.shown)
    table.columns = len(names)
    for records in table.chunks(header.delimiter):
        for _, _, cells in records:
            if isinstance(cells, str):
                yield UNREADABLE_ROW
            else:
                yield from (cells[at] for at in places if at < len(cells))


def _places(names: Sequence[str], chosen: Mapping[str, str], file: str) -> list[int]:
    bare = [unshield(name.strip()) for name in names]
    naming = name_columns(bare, chosen, file)
    found = [
        naming.names.index(field) for field in (CONTACT_NUMBER, ALTERNATE) if naming.has(field)
    ]
    if not found and len(names) == 1:
        return [0]
    if not found:
        raise IntakeError(
            f"{file} has no phone column among {list_columns(bare)}: name it with --map"
            f" COLUMN={CONTACT_NUMBER}"
        )
    return found


def _numbers_of_cell(text: str, region: str | None) -> Iterator[str]:
    """The number of a cell; both, where it holds two."""
    if not text:
        return
    if _PLAIN(text):
        yield text
        return
    try:
        number = healed_number(text)
    except ValueError:  # a spreadsheet has lost digits: no number
        yield text
        return
    try:
        cell = read_cell(number, region)
    except NumberError:
        yield number
        return
    yield cell.number
    if cell.second:
        yield cell.second


COUNTRY_UNKNOWN = "has no country code: write + and its country code, or say --region US"


def fault_of_number(number: str, region: str | None, *, takes_all: bool = False) -> str:
    """Returns why a list cannot tell which number is meant; empty where it can.

    ``takes_all``: a number without a country code is taken as it is.
    """
    try:
        form = identify(number, region)
    except NumberError as fault:
        return str(fault)
    return "" if takes_all or form[0] == "+" else COUNTRY_UNKNOWN


class CountryFilter:
    """Lets numbers through whose country is known, and counts the ``others``.

    Without a country code a list cannot tell which number is meant: it would not protect it.
    ``takes_all``: lets all of them through. ``first``: the first number without a country.
    """

    def __init__(self, region: str | None, *, takes_all: bool) -> None:
        self._region = region
        self._takes_all = takes_all
        self.others = 0
        self.first = ""

    def keep(self, numbers: Iterable[str]) -> Iterator[str]:
        """Yields the numbers whose country is known."""
        for number in numbers:
            fault = "" if self._takes_all else fault_of_number(number, self._region)
            if fault == COUNTRY_UNKNOWN:
                self.first = self.first or number
                self.others += 1
            else:
                yield number


MAGIC = b"callspool-suppression,1,"
"""How an export begins; the key's name and the key follow."""

COLUMNS = ("digest", "list", "since_ms", "until_ms", "source", "by", "form")
_OTHER = "other"


def is_export(source: Source) -> bool:
    """Whether a file is an export, by its first line."""
    return source.head().startswith(MAGIC[:4]) and source.first_line().startswith(MAGIC)


def refuse_lists(export: str, has_lists: bool) -> None:
    """Raises `IntakeError` where an export is to come onto a list, or is to have an end."""
    if has_lists:
        raise IntakeError(
            f"{export} is an export, whose entries have their lists: leave --list, --account and"
            " --until out"
        )


def check_lists(
    files: Sequence[str], columns: Mapping[str, str], encoding: str | None, sheet: str | None
) -> list[str]:
    """Checks that lists can be read to their end, so that all are imported or none.

    Returns those that are exports. What can be read once only is left out. Raises `IntakeError`,
    also for a list without a number.
    """
    exports = []
    for file in files:
        path = Path(file)
        if file == STANDARD_INPUT or path.is_fifo() or path.is_char_device():
            continue
        with Source(file, None, encoding, sheet) as source:
            if is_export(source):
                exports.append(file)
                deque(read_export(source)[1], maxlen=0)
            elif not deque(numbers_in(source, columns, None), maxlen=1):
                raise IntakeError(f"{source.shown} holds no number")
    return exports


def write_export(output: str, key: GuardKey, entries: Iterable[ExportedEntry]) -> int:
    """Writes all entries to a file that its owner alone may read; returns how many."""
    with OutFile(OutPlace(output), raw=True) as file:
        file.write([[*MAGIC.decode().rstrip(",").split(","), key.id, key.secret.hex()], COLUMNS])
        written = 0
        for digest, source, is_other in entries:
            times = str(source.since), str(source.till)
            form = _OTHER if is_other else ""
            file.write([[digest.hex(), source.list, *times, source.source, source.by, form]])
            written += 1
        file.finish()
    return written


def read_export(source: Source) -> tuple[GuardKey, Iterator[ExportedEntry]]:
    """Reads the key and the entries of an export; raises `IntakeError` where it is damaged."""
    rows = csv.reader(_lines(source))
    try:
        _, _, key_id, secret = next(rows)
        key = GuardKey(key_id, bytes.fromhex(secret))
        next(rows)
    except (StopIteration, ValueError):
        raise _damage_of(source) from None
    return key, _entries(source, rows)


def _entries(source: Source, rows: Iterator[list[str]]) -> Iterator[ExportedEntry]:
    for row in rows:
        try:
            digest, name, since, till, text, by, form = row
            about = ListSource(name, int(till), int(since), text, by)
            entry = ExportedEntry(bytes.fromhex(digest), about, form == _OTHER)
            is_whole = len(entry.digest) == DIGEST_BYTES and list_name(name) == name
        except (ValueError, ListNameError):
            is_whole = False
        if not is_whole:
            raise _damage_of(source)
        yield entry


def _lines(source: Source) -> Iterator[str]:
    for block in blocks_of_lines(source.read):
        for line in block:
            yield line.decode()


def _damage_of(source: Source) -> IntakeError:
    return IntakeError(
        f"{source.shown} is no whole export of suppression lists: export again, or import an"
        " earlier file"
    )
