"""Documents out of the cells of a table's rows."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from callspool.intake.cells import healed_number, refuse_shortened_id, split_labels
from callspool.intake.columns import Columns
from callspool.intake.spellings import ALTERNATE, CONTACT_NUMBER, DOCUMENT_ID, LABELS, NAME
from callspool.known import Known


class Written(NamedTuple):
    """A document as JSON, what of it has to be checked, and whether its number was healed."""

    raw: bytes
    known: Known
    healed: bool


class DocumentWriter:
    """Writes the rows of one table as JSON: cells without white space around, empty ones not."""

    def __init__(self, columns: Columns) -> None:
        names = columns.names
        self._size = len(names)
        self._number = names.index(CONTACT_NUMBER)
        self._id = names.index(DOCUMENT_ID) if DOCUMENT_ID in names else None
        self._labels = names.index(LABELS) if LABELS in names else None
        self._alternate = names.index(ALTERNATE) if ALTERNATE in names else None
        self._name = names.index(NAME) if NAME in names else None
        self._name_parts = columns.name_parts
        self._left_out = [place for place, name in enumerate(names) if name is None]
        self._write = _writer(names if self._name is not None else (*names, NAME))

    def write(self, cells: Sequence[str]) -> Written:
        """The document of a row; raises ValueError where its cells have lost what matters.

        UnicodeEncodeError (a ValueError) where one holds bytes that were no UTF-8.
        """
        values: list[Any] = [*map(str.strip, cells)]
        if len(values) != self._size:
            values = values[: self._size] + [""] * (self._size - len(values))
        number = values[self._number]
        whole = values[self._number] = healed_number(number)
        if self._alternate is not None:
            with suppress(ValueError):  # a second number is no reason to refuse the contact
                values[self._alternate] = healed_number(values[self._alternate])
        document_id = values[self._id] if self._id is not None else ""
        refuse_shortened_id(document_id)
        if self._name is not None:
            name = values[self._name]
        else:
            name = " ".join([part for place in self._name_parts if (part := values[place])])
            values.append(name)
        if self._labels is not None and values[self._labels]:
            values[self._labels] = split_labels(values[self._labels]) or ""
        for place in self._left_out:
            values[place] = ""
        return Written(
            self._write(values), Known(name, whole, document_id or None), whole != number
        )


def _writer(names: Sequence[str | None]) -> Callable[[Sequence[object]], bytes]:
    """A function that writes values as the fields of these names; empty texts are left out.

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
        return lambda values: encode(
            {name: value for name, value in zip(labelled, values, strict=True) if value}
        )
    return lambda values: encode(document(*values))
