"""Gives each column of a table, or key of an object, its name in a document."""

from collections.abc import Sequence

from callspool.request.text import clean
from callspool_operators.lists.spellings import (
    FIELDS,
    FIRST_NAMES,
    LAST_NAMES,
    NAME_PARTS,
    SPELLINGS,
    squash,
)

LEFT_OUT = "-"
"""The field of a column that is not sent at all."""

RESERVED = frozenset({"id", "callspool_attempt"})
"""Names with a meaning of their own at the API or here; extra fields cannot have them."""

_OWN = "source_"


class Naming:
    """Columns by place, as they get their names: chosen ones, then known ones, then the rest."""

    def __init__(self, headers: Sequence[str]) -> None:
        self.headers = headers
        self.names: list[str | None] = [None] * len(headers)
        self._clean = [clean(header) for header in headers]
        self._spelled = [squash(header) for header in headers]
        self._settled: set[int] = set()
        self._parts: set[int] = set()

    def has(self, field: str) -> bool:
        return field in self.names

    def place_of(self, column: str) -> int | None:
        """Where a column stands that the user names: exactly so, else by its spelling."""
        if (wanted := clean(column)) in self._clean:
            return self._clean.index(wanted)
        spelled = squash(column)
        return self._spelled.index(spelled) if spelled in self._spelled else None

    def choose(self, place: int, field: str) -> None:
        if field in NAME_PARTS:
            self._spelled[place] = squash(field)
            self._parts.add(place)
            return
        self.names[place] = None if field == LEFT_OUT else field
        self._settled.add(place)

    def name_the_others(self) -> None:
        """Known fields by exact name, then by spelling; any other column is an extra field."""
        for field in FIELDS:
            exact = [place for place, header in enumerate(self._clean) if header == field]
            self._claim(field, [place for place in exact if place not in self._parts])
        for field, spellings in SPELLINGS.items():
            self._claim(field, self._places(spellings))
        taken = {name for name in self.names if name} | RESERVED
        for place, header in enumerate(self.headers):
            if place not in self._settled:
                own = header in RESERVED or (place in self._parts and header in FIELDS)
                name = _new_name(f"{_OWN}{header}" if own else header, taken)
                taken.add(name)
                self.choose(place, name)

    def name_parts(self) -> tuple[int, ...]:
        """The places of the columns that hold a first and a last name."""
        found = [self._places(spellings)[:1] for spellings in (FIRST_NAMES, LAST_NAMES)]
        return tuple(place for places in found for place in places if self.names[place])

    def _places(self, spellings: Sequence[str]) -> list[int]:
        return [self._spelled.index(one) for one in spellings if one in self._spelled]

    def _claim(self, field: str, places: Sequence[int]) -> None:
        """Gives a field that is still free to the first of these columns that is free."""
        free = [place for place in places if place not in self._settled]
        if free and not self.has(field):
            self.choose(free[0], field)


def _new_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken or name == LEFT_OUT:
        name, number = f"{wanted} {number}", number + 1
    return name
