"""Documents out of the cells of a table's rows."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from operator import ne
from typing import Any

import msgspec

from callspool.request.call_request import Known
from callspool_operators.lists.cells import (
    NOT_GIVEN,
    healed_ids,
    healed_number,
    healed_numbers,
    split_labels,
)
from callspool_operators.lists.columns import (
    ALTERNATE,
    CONTACT_NUMBER,
    DOCUMENT_ID,
    LABELS,
    NAME,
    Columns,
)

_EMPTY = NOT_GIVEN | {""}

Written = tuple[bytes, Known, bool]
"""A document as JSON, what of it has to be checked, and whether its number was healed."""


class DocumentWriter:
    """Writes the rows of one table as JSON: cells without white space around, empty ones not."""

    def __init__(self, columns: Columns) -> None:
        names = columns.names
        self._size = len(names)
        self._number = names.index(CONTACT_NUMBER)
        self._id = names.index(DOCUMENT_ID) if DOCUMENT_ID in names else None
        self._answered_ids = columns.answered_ids
        self._labels = names.index(LABELS) if LABELS in names else None
        self._alternate = names.index(ALTERNATE) if ALTERNATE in names else None
        self._name = names.index(NAME) if NAME in names else None
        self._name_parts = columns.name_parts
        self._others = columns.other_numbers
        self._left_out = [place for place, name in enumerate(names) if name is None]
        self._encoded = _encoder(names if self._name is not None else (*names, NAME))

    def write(self, rows: Sequence[Sequence[str]]) -> Iterable[Written]:
        """Returns the documents of some rows; raises ValueError where cells have lost what matters.

        UnicodeEncodeError (a ValueError) where one holds bytes that were no UTF-8. Of one row, the
        error says what is wrong with it.
        """
        columns: list[Any] = [
            [*map(str.strip, column)] for column in zip(*self._even(rows), strict=True)
        ]
        if self._others and not _EMPTY.isdisjoint(columns[self._number]):
            self._fill_numbers(columns)
        given = columns[self._number]
        numbers = columns[self._number] = healed_numbers(given)
        ids: Sequence[str | None] = [None] * len(rows)
        if self._id is not None:
            if self._answered_ids:
                places = (*self._answered_ids, self._id)
                found = zip(*[columns[place] for place in places], strict=True)
                columns[self._id] = [next(filter(None, each), "") for each in found]
            columns[self._id] = healed_ids(columns[self._id])
            ids = [document_id or None for document_id in columns[self._id]]
        names = self._names(columns)
        self._put_in_order(columns)
        known = map(Known, names, numbers, ids)
        return zip(self._encoded(columns), known, map(ne, given, numbers), strict=True)

    def _fill_numbers(self, columns: list[Any]) -> None:
        """Where the number is empty, it becomes the first of the other columns of numbers."""
        numbers = columns[self._number]
        for row, number in enumerate(numbers):
            for place in self._others if number in _EMPTY else ():
                if columns[place][row] not in _EMPTY:
                    numbers[row] = columns[place][row]
                    if place == self._alternate:
                        columns[place][row] = ""
                    break

    def _even(self, rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        """The rows with a cell for each column: what is missing is empty, and so is the rest."""
        size = self._size
        if {*map(len, rows)} == {size}:
            return rows
        return [[*row[:size], *[""] * (size - len(row))] for row in rows]

    def _names(self, columns: list[Any]) -> Iterable[str]:
        """The whole names, which become the last column where there was none of them."""
        if self._name is None:
            parts = zip(*[columns[place] for place in self._name_parts], strict=True)
            columns.append([" ".join(filter(None, each)) for each in parts])
        names: list[str] = columns[-1 if self._name is None else self._name]
        return names

    def _put_in_order(self, columns: list[Any]) -> None:
        """Labels become lists, and what is not to be sent becomes empty."""
        if self._alternate is not None:
            columns[self._alternate] = [*map(_healed_alternate, columns[self._alternate])]
        if self._labels is not None:
            labels = columns[self._labels]
            columns[self._labels] = [(text and split_labels(text)) or "" for text in labels]
        for place in self._left_out:
            columns[place] = [""] * len(columns[place])


def _healed_alternate(text: str) -> str:
    with suppress(ValueError):  # a second number is no reason to refuse the contact
        return healed_number(text)
    return text


def _encoder(names: Sequence[str | None]) -> Callable[[Sequence[Sequence[object]]], list[bytes]]:
    """A function that writes columns of values with these names as rows; empty texts are left out.

    A struct made for the table is twice as fast as a dict for each row.
    """
    encode = msgspec.json.Encoder().encode
    labelled = [name or f"left out {place}" for place, name in enumerate(names)]
    try:
        document = msgspec.defstruct(
            "Document",
            [(f"c{place}", object, "") for place in range(len(names))],
            rename={f"c{place}": name for place, name in enumerate(labelled)},
            omit_defaults=True,
            gc=False,
        )
    except ValueError:  # a name with a quote, a backslash or a control character
        return lambda columns: [
            encode({name: value for name, value in zip(labelled, values, strict=True) if value})
            for values in zip(*columns, strict=True)
        ]
    return lambda columns: [*map(encode, map(document, *columns))]
