"""Rows of a JSON Lines file: an object a line."""

from collections.abc import Iterator, Mapping

from callspool.intake.lines import blocks_of_lines
from callspool.intake.objects import BOM, NOT_AN_OBJECT, Objects
from callspool.intake.row import Row
from callspool.intake.source import Source

NOT_ON_A_LINE = f"{NOT_AN_OBJECT} on a line of its own"


class ObjectRows:
    """The rows of a JSON Lines file."""

    format = "JSON Lines"

    def __init__(self, source: Source, chosen: Mapping[str, str]) -> None:
        self._blocks = blocks_of_lines(source.read)
        self._objects = Objects(source.name, chosen, NOT_ON_A_LINE)

    def __iter__(self) -> Iterator[Row]:
        row = self._objects.row
        number = 0
        for block in self._blocks:
            for line in block:
                number += 1
                bare = (line.removeprefix(BOM) if number == 1 else line).strip()
                if bare:
                    yield row(number, line, bare)
