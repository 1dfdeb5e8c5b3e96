"""JSON objects as rows: their keys named as columns are, their values passed on byte by byte."""

from collections.abc import Mapping, Sequence

import msgspec

from callspool.intake.lines import MAX_LINE
from callspool.intake.naming import Naming
from callspool.intake.row import Row
from callspool.intake.table import TOO_LONG
from callspool.intake.table_rows import NOT_UTF8

NOT_AN_OBJECT = "is not a JSON object"
_REMEMBERED = 1000

Renames = list[bytes | None]


class Objects:
    """Makes rows of one file's objects; ``chosen`` names fields of keys as it does of columns.

    ``reason``: why a text that is no object is refused.
    """

    def __init__(self, file: str, chosen: Mapping[str, str], reason: str = NOT_AN_OBJECT) -> None:
        self._file = file
        self._reason = reason
        self._decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        self._chosen = chosen
        self._known: dict[tuple[str, ...], Renames | None] = {}

    def row(self, number: int, text: bytes, bare: bytes) -> Row:
        """The row that starts on line ``number``; ``bare`` is its text without white space."""
        row = Row(self._file, number, text)
        if len(text) > MAX_LINE:
            row.reason = TOO_LONG
            return row
        try:
            row.raw = self._renamed(bare)
        except UnicodeError:
            row.reason = NOT_UTF8
        except (msgspec.DecodeError, RecursionError):
            row.reason = self._reason
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
