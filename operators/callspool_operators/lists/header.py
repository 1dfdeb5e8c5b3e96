"""The names of the columns of a CSV file, and the delimiter between them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from callspool_operators.lists.columns import looks_like_contact, names_contact
from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.spellings import FIRST_NAMES, LAST_NAMES, SPELLINGS, squash
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
    """The first line that names columns of a contact, else the first line at all.

    Of delimiters that wins under which most columns have a name that means something; where they
    are equal in that, the one that the file names itself (``sep=;``), then the one with more
    columns, then comma, semicolon, tab, bar. Raises `IntakeError`.
    """
    wanted = _KNOWN | {squash(column) for column in chosen}
    try:
        table.skip_to_header()
        first = _read(table)
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
            return best._replace(titles=[decode_line(title).strip() for title in titles])
        titles.append(table.pass_over())
    table.give_back(titles)
    return None


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
    read = {delimiter: _cells(table, delimiter) for delimiter in DELIMITERS}
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
