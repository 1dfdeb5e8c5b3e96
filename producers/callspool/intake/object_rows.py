"""Rows of a JSON Lines file: an object a line, its values passed on byte by byte."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from callspool.intake.lines import MAX_LINE, blocks_of_lines
from callspool.intake.naming import Naming
from callspool.intake.row import Row
from callspool.intake.source import Source
from callspool.intake.table import TOO_LONG
from callspool.intake.table_rows import NOT_UTF8

NOT_AN_OBJECT = "is not a JSON object on a line of its own"
_BOM = b"\xef\xbb\xbf"
_REMEMBERED = 1000

Renames = list[bytes | None]


class ObjectRows:
    """The rows of a JSON Lines file; ``chosen`` names the fields of keys as it does of columns."""

    def __init__(self, source: Source, chosen: Mapping[str, str]) -> None:
        self._file = source.name
        self._blocks = blocks_of_lines(source.read)
        self._decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        self._chosen = chosen
        self._known: dict[tuple[str, ...], Renames | None] = {}

    def __iter__(self) -> Iterator[Row]:
        number = 0
        for block in self._blocks:
            for line in block:
                number += 1
                bare = (line.removeprefix(_BOM) if number == 1 else line).strip()
                if bare:
                    yield self._row(number, line, bare)

    def _row(self, number: int, line: bytes, bare: bytes) -> Row:
        row = Row(self._file, number, line)
        if len(line) > MAX_LINE:
            row.reason = TOO_LONG
            return row
        try:
            row.raw = self._renamed(bare)
        except UnicodeError:
            row.reason = NOT_UTF8
        except (msgspec.DecodeError, RecursionError):
            row.reason = NOT_AN_OBJECT
        return row

    def _renamed(self, bare: bytes) -> bytes:
        """The object with its keys as the API knows them; untouched where they are already."""
        fields = self._decode(bare)
        keys = tuple(fields)
        if keys not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[keys] = _renames(keys, self._chosen)
        names = self._known[keys]
        if names is None:
            return bare
        pairs = zip(names, fields.values(), strict=True)
        return b"{" + b",".join(name + bytes(value) for name, value in pairs if name) + b"}"


def _renames(keys: Sequence[str], chosen: Mapping[str, str]) -> Renames | None:
    """For each key its new name and a colon, in JSON (None: left out); None if none changes."""
    naming = Naming(keys)
    for column, field in chosen.items():
        place = naming.place_of(column)
        if place is not None:
            naming.choose(place, field)
    naming.name_the_others()
    if naming.names == list(keys):
        return None
    return [None if name is None else msgspec.json.encode(name) + b":" for name in naming.names]
