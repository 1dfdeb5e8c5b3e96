"""Numbers of which neither the list nor a setting says which country they are of."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec

from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.formats import Rows, open_rows
from callspool_operators.lists.intake import Intake, IntakeOptions
from callspool_operators.lists.source import Source
from callspool_operators.lists.table_rows import TableRows


class _UnknownNumber(msgspec.Struct):
    contact_number: str = ""


_decode = msgspec.json.Decoder(_UnknownNumber).decode


class CountriesUnknown(msgspec.Struct, frozen=True):
    """Good rows whose numbers have no country code, among all good rows, and the first of them."""

    numbers: int
    good: int
    file: str
    line: int


def find_unknown_countries(files: Sequence[str], options: IntakeOptions) -> CountriesUnknown | None:
    """Looks through files that can be read again.

    Files in which each number plainly begins with a ``+`` cost a twentieth of reading them in full.
    """
    if options.rules.region is not None or not _may_lack_countries(files, options.columns):
        return None
    intake = Intake(files, replace(options, memory=None))
    first = None
    with suppress(IntakeError):  # what can be read of a torn file is sent
        for row in intake:
            if first is None and row.good and row.without_country:
                first = row
    if first is None:
        return None
    counts = intake.counts
    return CountriesUnknown(counts.without_country, counts.good, first.file, first.line)


def _may_lack_countries(files: Sequence[str], chosen: Mapping[str, str]) -> bool:
    try:
        return not all(_have_a_plus(name, chosen) for name in files)
    except IntakeError:
        return True


def _have_a_plus(name: str, chosen: Mapping[str, str]) -> bool:
    with Source(name) as source:
        rows = open_rows(source, chosen)
        if isinstance(rows, TableRows) and rows.every_number_has_a_plus():
            return True
    with Source(name) as source:
        return all(number[:1] == "+" for number in _numbers_of(open_rows(source, chosen)))


def _numbers_of(rows: Rows) -> Iterator[str]:
    """The numbers of a file as they are written; of a bad row, maybe none."""
    if isinstance(rows, TableRows):
        yield from filter(None, rows.number_cells())
        return
    for row in rows:
        try:
            yield _decode(row.raw).contact_number
        except msgspec.MsgspecError:
            continue
