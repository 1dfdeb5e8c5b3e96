"""JSON objects as rows, as in JSON Lines: keys are named as columns are, values stay as bytes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from callspool.errors import shown_name
from callspool_operators.lists.cells import NOT_GIVEN
from callspool_operators.lists.columns import (
    ALTERNATE,
    CONTACT_NUMBER,
    DOCUMENT_ID,
    NAME,
    extra,
    list_renames,
    name_columns,
)
from callspool_operators.lists.delimited import MAX_LINE, blocks_of_lines
from callspool_operators.lists.row import LEFT_OUT_BEFORE, STILL_LEFT_OUT, Beside, Row, own_places
from callspool_operators.lists.source import Source
from callspool_operators.lists.table import CHUNK, TOO_LONG
from callspool_operators.lists.table_rows import NOT_UTF8, was_left_out

BOM = b"\xef\xbb\xbf"
NOT_AN_OBJECT = "is not a JSON object"
_NOT_GIVEN = frozenset(text.encode() for text in NOT_GIVEN)
_REMEMBERED = 1000
_LEFT_OUT = LEFT_OUT_BEFORE.encode()
_ALTERNATE = f'"{ALTERNATE}":'.encode()


class KeyTwiceError(Exception):
    """An object has two values under one key; the text names the key."""


class _Plan(NamedTuple):
    """For each key its new name and a colon, in JSON (None: left out), and the name's parts.

    ``number``, ``other_numbers``: which key has the number, and which others hold one.
    ``id``, ``answered_ids``: which key has the id, and which hold one that `results` wrote.
    """

    names: Sequence[bytes | None]
    name_parts: tuple[int, ...]
    number: int | None
    other_numbers: tuple[int, ...]
    id: int | None
    answered_ids: tuple[int, ...]


class Objects:
    """Makes rows of one file's objects; ``chosen`` names fields of keys as it does of columns.

    ``reason``: why a text that is no object is refused.
    """

    def __init__(self, file: str, chosen: Mapping[str, str], reason: str = NOT_AN_OBJECT) -> None:
        self._file = file
        self._reason = reason
        self._decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        self._encode = msgspec.json.Encoder().encode
        self._chosen = chosen
        self._known: dict[tuple[str, ...], _Plan | None] = {}

    def row(self, number: int, text: bytes, bare: bytes) -> Row:
        """Returns the row that starts on line ``number``; ``bare``: its text, stripped."""
        row = Row(self._file, number, text)
        if len(text) > MAX_LINE:
            row.reason = TOO_LONG
            return row
        try:
            row.raw, row.beside, row.has_whole_id = self._rename_keys(bare)
            if _LEFT_OUT in bare and _was_left_out(bare):
                row.reason = STILL_LEFT_OUT
        except KeyTwiceError as twice:
            row.reason = str(twice)
        except UnicodeError:
            row.reason = NOT_UTF8
        except (msgspec.DecodeError, RecursionError):
            row.reason = self._reason
        return row

    def _rename_keys(self, bare: bytes) -> tuple[bytes, Beside | None, bool]:
        """The object with its keys as the API knows them; untouched where they are already.

        Besides: what was taken for its number, and whether its id is one that `results` wrote.
        """
        fields = self._decode(bare)
        if self._encode(fields) != bare:  # not as compact as it can be, or a key was lost
            refuse_key_twice(bare)
        keys = tuple(fields)
        if keys not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[keys] = _plan(keys, self._chosen)
        plan = self._known[keys]
        if plan is None:
            return bare, None, False
        values = [*map(bytes, fields.values())]
        beside = _fill_number(plan, values)
        has_whole_id = _fill_id(plan, values)
        pairs = [
            name + value for name, value in zip(plan.names, values, strict=True) if name and value
        ]
        if plan.name_parts and (whole := _join_parts(values[place] for place in plan.name_parts)):
            pairs.append(b'"name":' + msgspec.json.encode(whole))
        return b"{" + b",".join(pairs) + b"}", beside, has_whole_id


def _was_left_out(text: bytes) -> bool:
    fields = msgspec.json.decode(text, type=dict[str, object])
    return bool(own_places([*fields])) and was_left_out(str(fields["reason"]))


def _fill_number(plan: _Plan, values: list[bytes]) -> Beside | None:
    """Where the number is empty, it becomes the first that is under another key."""
    if plan.number is None or not _is_empty(values[plan.number]):
        return None
    for place in plan.other_numbers:
        if values[place][:1] == b'"' and not _is_empty(values[place]):
            values[plan.number] = values[place]
            if plan.names[place] == _ALTERNATE:
                values[place] = b""
            return Beside.OTHER
    return None


def _fill_id(plan: _Plan, values: list[bytes]) -> bool:
    """Whether there is an id that `results` wrote; it becomes the id."""
    for place in plan.answered_ids:
        if plan.id is not None and not _is_empty(values[place]):
            values[plan.id] = values[place]
            return True
    return False


def _is_empty(value: bytes) -> bool:
    text = value.strip(b'" \t')
    return value == b"null" or not text or (value[:1] == b'"' and text in _NOT_GIVEN)


def refuse_key_twice(text: bytes) -> None:
    """Raises `KeyTwiceError` for an object with a key twice: either value may be the one meant."""
    keys: list[str] = json.loads(text, object_pairs_hook=_keys, parse_int=str, parse_float=str)
    if len(keys) > len({*keys}):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise KeyTwiceError(f"has the key {shown_name(twice)} twice")


def _keys(pairs: Sequence[tuple[str, object]]) -> list[str]:
    return [key for key, _ in pairs]


def _join_parts(parts: Iterable[bytes]) -> str:
    found = [msgspec.json.decode(part) for part in parts]
    return " ".join([part.strip() for part in found if isinstance(part, str) and part.strip()])


def fields_of(text: bytes, chosen: Mapping[str, str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Returns the keys of an object with another name than their own, and those of extra fields."""
    try:
        keys = [*msgspec.json.decode(text.removeprefix(BOM), type=dict[str, msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return [], []
    naming = name_columns(keys, chosen)
    parts = () if naming.has(NAME) else naming.name_parts()
    return list_renames(keys, naming.names, parts), extra(keys, naming.names)


def _plan(keys: Sequence[str], chosen: Mapping[str, str]) -> _Plan | None:
    """What becomes of objects with these keys; None if nothing of them changes."""
    naming = name_columns(keys, chosen)
    parts = () if naming.has(NAME) else naming.name_parts()
    if naming.names == list(keys) and not parts and not naming.answered_ids:
        return None
    names = [None if name is None else msgspec.json.encode(name) + b":" for name in naming.names]
    number = naming.names.index(CONTACT_NUMBER) if naming.has(CONTACT_NUMBER) else None
    place = naming.names.index(DOCUMENT_ID) if naming.has(DOCUMENT_ID) else None
    return _Plan(names, parts, number, naming.other_numbers(), place, naming.answered_ids)


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
        """Yields the rows, as many at once as are at hand."""
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
