"""Rows of a JSON file that is read whole: which lists hold contacts, and where they stand."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from callspool_operators.lists import IntakeError
from callspool_operators.lists.columns import CONTACT_NUMBER, name_columns
from callspool_operators.lists.objects import KeyTwiceError, Objects, refuse_key_twice
from callspool_operators.lists.row import Row
from callspool_operators.lists.source import Source
from callspool_operators.lists.table import CHUNK

MAX_JSON = 64 * 1024 * 1024
"""Most bytes of a JSON file (not JSON Lines): it is read whole, so that no fault is missed."""
MAX_DEPTH = 4
"""How deep within objects a list of contacts may lie."""

_MARK = b"\xef\xbb\xbf"
_GAP = re.compile(rb"[\s,]*")
_TEXT_GAP = re.compile(r"[\s,]*")
_BYTE = re.compile(r"\(byte (\d+)\)")
_PLACE = re.compile(r" \(byte \d+\)|: line \d+ column \d+ \(char \d+\)")
_MOST_NAMES = 8

NamesContact = Callable[[Sequence[str]], bool]
"""Whether an object with these keys is a contact."""

_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_any = json.JSONDecoder(parse_int=str, parse_float=str)


class _ListInside(NamedTuple):
    """A list within an object: the keys that lead to it, and its text."""

    path: str
    text: bytes


class JsonText:
    """A whole JSON file: an array, an object around one list, or values one after the other."""

    def __init__(self, text: bytes, shown: str, names_contact: NamesContact) -> None:
        self._text = text.removeprefix(_MARK)
        self._shown = shown
        self._names_contact = names_contact

    def elements(self) -> Iterator[tuple[int, bytes]]:
        """Yields each contact with the line on which it starts; raises `IntakeError` at once."""
        return self._number_lines([each for value in self._values() for each in self._parts(value)])

    def _number_lines(self, elements: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        line, at = 1, 0
        for element in elements:
            gap = _GAP.match(self._text, at)
            start = gap.end() if gap else at
            if not self._text.startswith(element, start):  # it stands within something
                start = self._text.find(element, at)
            line += self._text.count(b"\n", at, start)
            yield line, element
            line += element.count(b"\n")
            at = start + len(element)

    def _values(self) -> list[bytes]:
        """The values of the file: one as a rule."""
        text = self._text.strip()
        decode = _list if text.startswith(b"[") else _object
        try:
            decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as fault:
            if decode is _list and "trailing" not in str(fault):
                raise self._broken(str(fault), text) from None
            return self._values_in_a_row(text)
        return [text]

    def _values_in_a_row(self, text: bytes) -> list[bytes]:
        decoded = text.decode("utf-8", "surrogateescape")
        values, at = [], 0
        try:
            while at < len(decoded):
                _, end = _any.raw_decode(decoded, at)
                values.append(decoded[at:end].encode("utf-8", "surrogateescape"))
                gap = _TEXT_GAP.match(decoded, end)
                at = gap.end() if gap else end
        except ValueError as fault:
            raise self._broken(str(fault)) from None
        except RecursionError:
            raise self._broken("it is nested too deep") from None
        return values

    def _parts(self, value: bytes) -> list[bytes]:
        """The contacts of a value: the elements of a list, or the object itself."""
        if value.startswith(b"["):
            return self._list(value)
        if not value.startswith(b"{"):
            return [value]
        fields = _object(value)
        if self._names_contact([*fields]):
            return [value]
        try:
            return self._list(self._list_within(fields, value))
        except KeyTwiceError as twice:
            raise IntakeError(f"{self._shown} {twice}: keep the one that is meant") from None

    def _list(self, value: bytes) -> list[bytes]:
        try:
            return [bytes(element) for element in _list(value)]
        except (msgspec.DecodeError, RecursionError, UnicodeError) as fault:
            raise self._broken(str(fault), value) from None

    def _list_within(self, fields: dict[str, msgspec.Raw], value: bytes) -> bytes:
        """The one list of contacts in an object that is not a contact itself."""
        refuse_key_twice(value)
        lists = [*_lists(fields, "", MAX_DEPTH)]
        objects = [each for each in lists if each.text[1:].lstrip().startswith(b"{")]
        contacts = [each for each in objects if self._holds_contacts(each.text)]
        for some in (contacts, objects, lists):
            if len(some) == 1:
                return some[0].text
            if some:
                names = _name_lists([each.path for each in some])
                raise IntakeError(
                    f"{self._shown} is a JSON object with several lists ({names}): keep the one"
                    " that holds the contacts"
                )
        raise IntakeError(
            f"{self._shown} is a JSON object without a list of contacts and no contact itself; it"
            f" has the keys {_name_lists([*fields])}"
        )

    def _holds_contacts(self, text: bytes) -> bool:
        try:
            return any(self._names_contact([*_object(each)]) for each in _list(text)[:10])
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return False

    def _broken(self, fault: str, value: bytes = b"") -> IntakeError:
        """The error for a value that is no JSON: where, by its line, and what to do."""
        place = _BYTE.search(fault)
        line = ""
        if place:
            at = self._text.find(value) + int(place[1])
            number = self._text.count(b"\n", 0, at) + 1
            line = f", line {number:,}"
        what = _PLACE.sub("", fault).removeprefix("JSON is malformed: ")
        return IntakeError(
            f"{self._shown}{line}: not valid JSON ({what}), so nothing of it was read: write the"
            " file anew, or make it JSON Lines, an object a line"
        )


def _lists(fields: dict[str, msgspec.Raw], path: str, depth: int) -> Iterator[_ListInside]:
    for key, value in fields.items():
        text = bytes(value).strip()
        if text.startswith(b"["):
            yield _ListInside(path + key, text)
        elif text.startswith(b"{") and depth > 1:
            refuse_key_twice(text)
            yield from _lists(_object(text), f"{path}{key}.", depth - 1)


def _name_lists(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = ", ".join(" ".join(name.split())[:40] for name in names[:_MOST_NAMES])
    return f"{shown} and {more:,} more" if more > 0 else shown or "none"


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
        """Yields the rows, many at once."""
        rows = iter(self)
        while some := list(islice(rows, CHUNK)):
            yield some

    def _names_contact(self, keys: Sequence[str]) -> bool:
        return name_columns(keys, self._chosen).has(CONTACT_NUMBER)


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
