"""Rows of a JSON file: the objects of one array, or objects one after the other."""

from collections.abc import Iterator, Mapping

from callspool_operators.lists.elements import Elements
from callspool_operators.lists.objects import Objects
from callspool_operators.lists.row import Row
from callspool_operators.lists.source import Source


class ArrayRows:
    """The rows of a JSON file, one for each element of its array."""

    format = "JSON"

    def __init__(self, source: Source, chosen: Mapping[str, str]) -> None:
        self._elements = Elements(source.read, source.shown)
        self._objects = Objects(source.name, chosen)

    def __iter__(self) -> Iterator[Row]:
        row = self._objects.row
        for line, text in self._elements:
            yield row(line, text, text)

    def chunks(self) -> Iterator[list[Row]]:
        """The rows one by one, as soon as each is there."""
        return ([row] for row in self)
