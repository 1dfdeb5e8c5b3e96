"""Rows of a JSON Lines file: an object a line."""

from collections.abc import Iterator, Mapping
from itertools import chain

from callspool_operators.lists.lines import blocks_of_lines
from callspool_operators.lists.objects import BOM, NOT_AN_OBJECT, Objects
from callspool_operators.lists.row import Row
from callspool_operators.lists.source import Source
from callspool_operators.lists.table import CHUNK

NOT_ON_A_LINE = f"{NOT_AN_OBJECT} on a line of its own"


class ObjectRows:
    """The rows of a JSON Lines file."""

    format = "JSON Lines"

    def __init__(self, source: Source, chosen: Mapping[str, str]) -> None:
        self._blocks = blocks_of_lines(source.read)
        self._objects = Objects(source.name, chosen, NOT_ON_A_LINE)

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.chunks())

    def chunks(self) -> Iterator[list[Row]]:
        """The rows, as many at once as are at hand."""
        row = self._objects.row
        number = 0
        for block in self._blocks:
            for start in range(0, len(block), CHUNK):
                rows = []
                for line in block[start : start + CHUNK]:
                    number += 1
                    bare = line.removeprefix(BOM).strip()
                    if bare:
                        rows.append(row(number, line, bare))
                yield rows
