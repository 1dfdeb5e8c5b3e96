"""The columns of a table, and the documents that its rows make."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callspool.request.text import clean, is_unicode
from callspool_operators.lists.errors import IntakeError
from callspool_operators.lists.naming import LEFT_OUT, Naming
from callspool_operators.lists.shield import unshield
from callspool_operators.lists.spellings import CONTACT_NUMBER, FIELDS, NAME

_NUMBER = re.compile(r"[+(]?(?:\d[ ()./-]*){7,}")
_DATE = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}\b.*")
_DELIMITER = re.compile(r"[,;\t|]")
_SHOWN_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class Columns:
    """What each column of a file is called in a document; None for one that is left out.

    ``name_parts``: places of the columns that hold first and last name, where no column has the
    whole name.
    """

    headers: tuple[str, ...]
    names: tuple[str | None, ...]
    name_parts: tuple[int, ...] = ()

    def list_renames(self) -> list[tuple[str, str]]:
        """Columns that reach the API under another name than their header: header → field."""
        return list_renames(self.headers, self.names, self.name_parts)

    def extra(self) -> list[str]:
        """Columns that become extra fields under their own name."""
        return extra(self.headers, self.names)


def list_renames(
    headers: Sequence[str], names: Sequence[str | None], name_parts: Sequence[int]
) -> list[tuple[str, str]]:
    """Headers with another name than their own, and that name; parts of the name last."""
    pairs = zip(headers, names, strict=True)
    changed = [(header, name or LEFT_OUT) for header, name in pairs if header != name]
    return changed + [(headers[place], NAME) for place in name_parts]


def extra(headers: Sequence[str], names: Sequence[str | None]) -> list[str]:
    """Headers that are the names of extra fields."""
    pairs = zip(headers, names, strict=True)
    return [header for header, name in pairs if header == name and name not in FIELDS]


def map_columns(headers: Sequence[str], chosen: Mapping[str, str], file: str) -> Columns:
    """Finds the field of each column: as chosen, by its exact name, by its spelling, or none.

    Raises `IntakeError` where a chosen column is not there, or no column holds number or name.
    """
    bare = [unshield(clean(header)) for header in headers]
    shown = [header or f"column {place + 1}" for place, header in enumerate(bare)]
    if not all(map(is_unicode, shown)):
        raise IntakeError(f"the first line of {file} is not valid UTF-8: save the file as UTF-8")
    naming = Naming(shown)
    for column, field in chosen.items():
        place = naming.place_of(column)
        if place is None:
            raise IntakeError(
                f"{file} has no column {column!r} (--map): it has {list_columns(shown)}"
            )
        naming.choose(place, field)
    naming.name_the_others()
    parts = () if naming.has(NAME) else naming.name_parts()
    if not naming.has(CONTACT_NUMBER):
        raise _missing("phone", CONTACT_NUMBER, file, shown)
    if not naming.has(NAME) and not parts:
        raise _missing("name", NAME, file, shown)
    return Columns(tuple(shown), tuple(naming.names), parts)


def _missing(word: str, field: str, file: str, headers: Sequence[str]) -> IntakeError:
    if len(headers) == 1 and (inner := _DELIMITER.search(headers[0])):
        return IntakeError(
            f"each line of {file} is one cell in quotes, so that nothing divides its columns: take"
            f" the quotes around the lines away ({inner[0]!r} divides them then)"
        )
    if looks_like_contact(headers):
        return IntakeError(
            f"the first line of {file} looks like a contact: put the names of the columns above"
            " it, such as name,contact_number"
        )
    return IntakeError(
        f"{file} has no {word} column among {list_columns(headers)}: name it with --map"
        f" COLUMN={field}"
    )


def looks_like_contact(cells: Sequence[str]) -> bool:
    """Whether one of these cells is a phone number, so that they are no names of columns."""
    bare = [unshield(cell.strip()) for cell in cells]
    return any(_NUMBER.fullmatch(cell) and not _DATE.fullmatch(cell) for cell in bare)


def names_contact(headers: Sequence[str], chosen: Mapping[str, str]) -> bool:
    """Whether these are names of columns, with one for the number and one for the name."""
    naming = Naming([unshield(header.strip()) for header in headers])
    for column, field in chosen.items():
        if (place := naming.place_of(column)) is not None:
            naming.choose(place, field)
    naming.name_the_others()
    return naming.has(CONTACT_NUMBER) and (naming.has(NAME) or bool(naming.name_parts()))


def list_columns(headers: Sequence[str]) -> str:
    """The names of columns for a message, on one line, not endless, never a contact."""
    if looks_like_contact(headers):
        return f"{len(headers)} columns whose names look like a contact"
    shown = [" ".join(header.split())[:40] for header in headers[:_SHOWN_COLUMNS]]
    more = len(headers) - _SHOWN_COLUMNS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
