"""The first line of a CSV file: the names of its columns, and the delimiter between them."""

from collections.abc import Mapping, Sequence

from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.spellings import FIRST_NAMES, LAST_NAMES, SPELLINGS, squashed
from callspool_operators.lists.table import BrokenRowError, Table

DELIMITERS = (",", ";", "\t")

_KNOWN = {one for spellings in SPELLINGS.values() for one in spellings}
_KNOWN |= {*FIRST_NAMES, *LAST_NAMES}


def read_header(table: Table, chosen: Mapping[str, str], file: str) -> tuple[str, list[str]]:
    """The delimiter under which most columns have a name that means something, and all names.

    Where delimiters are equal in that, more columns win, then comma, semicolon, tab. Raises
    `IntakeError`.
    """
    try:
        table.skip_to_header()
        found = {one: cells for one in DELIMITERS if (cells := _cells(table, one))}
    except BrokenRowError as fault:
        raise IntakeError(f"the first line of {file} is {fault}: is it a CSV file?") from None
    if not found:
        raise IntakeError(f"a quote in the first line of {file} is not closed: add or remove one")
    wanted = _KNOWN | {squashed(column) for column in chosen}
    delimiter = max(found, key=lambda one: (_named(found[one], wanted), len(found[one])))
    records = table.records(delimiter)
    next(records)
    table.taken.clear()
    records.close()
    return delimiter, found[delimiter]


def _named(headers: Sequence[str], wanted: set[str]) -> int:
    return len({spelled for header in headers if (spelled := squashed(header)) in wanted})


def _cells(table: Table, delimiter: str) -> list[str] | None:
    """The first record under this delimiter; its lines are there to be read again."""
    records = table.records(delimiter)
    cells = next(records, None)
    table.give_back(list(table.taken))
    table.taken.clear()
    table.suspect = 0
    records.close()
    return cells if isinstance(cells, list) else None
