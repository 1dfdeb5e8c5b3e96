"""Rows of a JSON file that is no JSON Lines: the objects of its list."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.json_text import MAX_JSON, JsonText
from callspool_operators.lists.objects import Objects, naming_of
from callspool_operators.lists.row import Row
from callspool_operators.lists.source import Source
from callspool_operators.lists.spellings import CONTACT_NUMBER
from callspool_operators.lists.table import CHUNK

_SAFE_NAME = re.compile(r"[\w./-]+")


class JsonRows:
    """The rows of a JSON file, one for each element of its list.

    The file is read whole before its first row, so that a fault in it is known before anybody is
    called. Raises `IntakeError` for one that is larger than `MAX_JSON` or not valid.
    """

    format = "JSON"

    def __init__(self, source: Source, chosen: Mapping[str, str]) -> None:
        self._source = source
        self._chosen = chosen
        self._objects = Objects(source.name, chosen)

    def __iter__(self) -> Iterator[Row]:
        text = JsonText(_whole(self._source), self._source.shown, self._names_contact)
        row = self._objects.row
        return (row(line, element, element) for line, element in text.elements())

    def chunks(self) -> Iterator[list[Row]]:
        """The rows, many at once."""
        rows = iter(self)
        while some := list(islice(rows, CHUNK)):
            yield some

    def _names_contact(self, keys: Sequence[str]) -> bool:
        return naming_of(keys, self._chosen).has(CONTACT_NUMBER)


def _whole(source: Source) -> bytes:
    parts, size = [], 0
    while block := source.read():
        parts.append(block)
        size += len(block)
        if size > MAX_JSON:
            raise _too_long(source)
    return b"".join(parts)


def _too_long(source: Source) -> IntakeError:
    is_plain = not source.packed and _SAFE_NAME.fullmatch(source.name)
    name = source.name if is_plain else "FILE"
    return IntakeError(
        f"{source.shown} is JSON of more than {MAX_JSON // 2**20} MiB, and JSON is read whole: make"
        f" it JSON Lines, an object a line, which may be of any size (jq -c '.[]' {name} >"
        " contacts.jsonl)"
    )
