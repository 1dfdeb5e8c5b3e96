"""Which column of a list is which field: known spellings, names of other fields, the mapping."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callspool.request.text import clean, is_unicode
from callspool_operators.lists import IntakeError
from callspool_operators.lists.delimited import unshield
from callspool_operators.lists.row import find_answers, own_places

CONTACT_NUMBER = "contact_number"
ALTERNATE = "alternate_number"
NAME = "name"
DOCUMENT_ID = "document_id"
LABELS = "labels"

SPELLINGS: dict[str, tuple[str, ...]] = {
    CONTACT_NUMBER: (
        *("contactnumber", "contactno", "phonenumber", "phone", "phoneno", "mobilenumber"),
        *("mobile", "mobileno", "mobilephone", "cellphone", "cellnumber", "cell"),
        *("telephonenumber", "telephone", "tel", "msisdn", "primaryphone", "phone1", "mobile1"),
        *("whatsappnumber", "whatsapp", "phone1value", "handy", "handynummer", "telefon"),
        *("telefonnummer", "mobil", "mobilnummer", "mobiltelefon", "rufnummer", "telefoonnummer"),
        *("telefoon", "mobiel", "téléphone", "numérodetéléphone", "portable", "teléfono"),
        *("telefono", "númerodeteléfono", "celular", "móvil", "telefone", "cellulare"),
        *("telefonnr", "mobiltelefonnummer", "puhelin", "puhelinnumero", "numertelefonu"),
        *("телефон", "номертелефона", "手机", "电话", "電話番号", "phonenumber1", "phonemobile"),
        *("customerphone",),
    ),
    NAME: (
        *("name", "fullname", "contactname", "customername", "clientname", "leadname", "nombre"),
        *("nombrecompleto", "nome", "nomecompleto", "nomecognome", "nomcomplet", "naam", "namn"),
        *("navn", "nimi", "imięinazwisko", "имя", "фио", "姓名", "氏名"),
    ),
    "email": ("email", "emailaddress", "emailid", "mail", "mailaddress"),
    ALTERNATE: (
        *("alternatenumber", "alternateno", "alternatephone", "alternatemobile", "altnumber"),
        *("altphone", "secondaryphone", "otherphone", "phone2value", "businessphone", "phone2"),
        *("mobile2", "workphone", "homephone", "mobile", "mobileno", "mobilenumber", "telephone"),
    ),
    "occupation": ("occupation", "profession", "jobtitle", "job", "designation"),
    "company_name": (
        *("companyname", "company", "organisation", "organization", "organisationname"),
        *("organizationname", "employer"),
    ),
    "address": ("address", "streetaddress", "postaladdress", "mailingaddress"),
    "about": ("about", "bio"),
    "context": ("context",),
    LABELS: ("labels", "label", "tags", "tag"),
    "title": ("title",),
    "description": ("description",),
    DOCUMENT_ID: (
        *("documentid", "id", "contactid", "customerid", "clientid", "leadid", "recordid"),
        *("crmid", "customerno", "customernumber", "kundennummer", "kundennr", "kdnr"),
        *("kundenr", "externalid"),
    ),
}

FIELDS = tuple(SPELLINGS)
"""The fields of a document that the API knows; every other one is an extra field."""

NAME_PARTS = ("first_name", "last_name")
"""What a column can be chosen as that holds a part of the name; it is an extra field besides."""

FIRST_NAMES = ("firstname", "givenname", "forename", "first", "vorname", "prénom", "förnamn")
LAST_NAMES = ("lastname", "surname", "familyname", "last", "nachname", "nom", "efternamn")


def squash(header: str) -> str:
    """Returns a header's letters and digits, in one case."""
    return "".join(filter(str.isalnum, clean(header).casefold()))


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
        self._chosen: set[int] = set()
        self.answered_ids: tuple[int, ...] = ()
        """Places of ids as `results` wrote them: before any other id; the last one first."""

    def has(self, field: str) -> bool:
        return field in self.names

    def place_of(self, column: str) -> int | None:
        """Returns where a column stands that the user names: exactly so, else by its spelling."""
        if (wanted := clean(column)) in self._clean:
            return self._clean.index(wanted)
        spelled = squash(column)
        return self._spelled.index(spelled) if spelled in self._spelled else None

    def choose(self, place: int, field: str) -> None:
        if field in NAME_PARTS:
            self._spelled[place] = squash(field)
            self._parts.add(place)
            return
        self._name(place, None if field == LEFT_OUT else field)
        self._chosen.add(place)

    def _name(self, place: int, name: str | None) -> None:
        self.names[place] = name
        self._settled.add(place)

    def name_the_others(self) -> None:
        """Names known fields exactly, then by spelling; any other column is an extra field."""
        answers, ids = find_answers(self._clean)
        for place in (*own_places(self.headers), *answers):
            if place not in self._chosen:
                self._name(place, None)
        for field in FIELDS:
            exact = [place for place, header in enumerate(self._clean) if header == field]
            self._claim(field, [place for place in exact if place not in self._parts])
        for field, spellings in SPELLINGS.items():
            self._claim(field, self._places(spellings))
        self._take_answered_ids(ids)
        taken = {name for name in self.names if name} | RESERVED
        for place, header in enumerate(self.headers):
            if place not in self._settled:
                own = header in RESERVED or (place in self._parts and header in FIELDS)
                name = _new_name(f"{_OWN}{header}" if own else header, taken)
                taken.add(name)
                self._name(place, name)

    def _take_answered_ids(self, ids: Sequence[int]) -> None:
        unchosen = [place for place in ids if place not in self._chosen]
        if unchosen and not self.has(DOCUMENT_ID):
            self._name(unchosen[-1], DOCUMENT_ID)
        known = [place for place in ids if place in unchosen or self.names[place] == DOCUMENT_ID]
        self.answered_ids = tuple(reversed(known))

    def name_parts(self) -> tuple[int, ...]:
        """Returns the places of the columns that hold a first and a last name."""
        found = [self._places(spellings)[:1] for spellings in (FIRST_NAMES, LAST_NAMES)]
        return tuple(place for places in found for place in places if self.names[place])

    def other_numbers(self) -> tuple[int, ...]:
        """Returns the places of further columns of numbers, for rows whose own number is empty."""
        known = (*SPELLINGS[CONTACT_NUMBER], *SPELLINGS[ALTERNATE])
        free = [
            place
            for place, name in enumerate(self.names)
            if name != CONTACT_NUMBER and place not in self._chosen
            if self._spelled[place] in known
        ]
        return tuple(sorted(free, key=lambda place: known.index(self._spelled[place])))

    def _places(self, spellings: Sequence[str]) -> list[int]:
        return [self._spelled.index(one) for one in spellings if one in self._spelled]

    def _claim(self, field: str, places: Sequence[int]) -> None:
        """Gives a field that is still free to the first of these columns that is free."""
        free = [place for place in places if place not in self._settled]
        if free and not self.has(field):
            self._name(free[0], field)


def _new_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken or name == LEFT_OUT:
        name, number = f"{wanted} {number}", number + 1
    return name


_NUMBER = re.compile(r"[+(]?(?:\d[ ()./-]*){7,}")
_DATE = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}\b.*")
_DELIMITER = re.compile(r"[,;\t|]")
_SHOWN_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class Columns:
    """What each column of a file is called in a document; None for one that is left out.

    ``name_parts``: places of the columns that hold first and last name, where no column has the
    whole name. ``other_numbers``: of those that hold a number besides the one that is called.
    ``answered_ids``: of those with the ids that `results` wrote.
    """

    headers: tuple[str, ...]
    names: tuple[str | None, ...]
    name_parts: tuple[int, ...] = ()
    other_numbers: tuple[int, ...] = ()
    answered_ids: tuple[int, ...] = ()

    def list_renames(self) -> list[tuple[str, str]]:
        """Returns the columns that the API gets under another name than their header, with it."""
        return list_renames(self.headers, self.names, self.name_parts)

    def extra(self) -> list[str]:
        """Returns columns that become extra fields under their own name."""
        return extra(self.headers, self.names)


def list_renames(
    headers: Sequence[str], names: Sequence[str | None], name_parts: Sequence[int]
) -> list[tuple[str, str]]:
    """Headers with another name than their own, and that name; parts of the name last.

    Without what `results` added and is left out.
    """
    answers, _ = find_answers(headers)
    changed = [
        (header, name or LEFT_OUT)
        for place, (header, name) in enumerate(zip(headers, names, strict=True))
        if header != name and (name is not None or place not in answers)
    ]
    return changed + [(headers[place], NAME) for place in name_parts]


def extra(headers: Sequence[str], names: Sequence[str | None]) -> list[str]:
    """Headers that are the names of extra fields."""
    pairs = zip(headers, names, strict=True)
    return [header for header, name in pairs if header == name and name not in FIELDS]


def name_columns(headers: Sequence[str], chosen: Mapping[str, str], file: str = "") -> Naming:
    """Finds what each column, or key of an object, becomes.

    Raises `IntakeError` where the ``file`` lacks a chosen one; without a file it may be missing.
    """
    naming = Naming(headers)
    for column, field in chosen.items():
        place = naming.place_of(column)
        if place is not None:
            naming.choose(place, field)
        elif file:
            raise IntakeError(
                f"{file} has no column {column!r} (--map): it has {list_columns(headers)}"
            )
    naming.name_the_others()
    return naming


def map_columns(headers: Sequence[str], chosen: Mapping[str, str], file: str) -> Columns:
    """Finds the field of each column: as chosen, by its exact name, by its spelling, or none.

    Raises `IntakeError` where a chosen column is not there, or no column holds number or name.
    """
    bare = [unshield(clean(header)) for header in headers]
    shown = [header or f"column {place + 1}" for place, header in enumerate(bare)]
    if not all(map(is_unicode, shown)):
        raise IntakeError(f"the first line of {file} is not valid UTF-8: save the file as UTF-8")
    naming = name_columns(shown, chosen, file)
    parts = () if naming.has(NAME) else naming.name_parts()
    if not naming.has(CONTACT_NUMBER):
        raise _missing("phone", CONTACT_NUMBER, file, shown)
    if not naming.has(NAME) and not parts:
        raise _missing("name", NAME, file, shown)
    others = naming.other_numbers()
    return Columns(tuple(shown), tuple(naming.names), parts, others, naming.answered_ids)


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
    naming = name_columns([unshield(header.strip()) for header in headers], chosen)
    return naming.has(CONTACT_NUMBER) and (naming.has(NAME) or bool(naming.name_parts()))


def list_columns(headers: Sequence[str]) -> str:
    """Returns the names of columns for a message, on one line, not endless, never a contact."""
    if looks_like_contact(headers):
        return f"{len(headers)} columns whose names look like a contact"
    shown = [_NUMBER.sub("…", " ".join(header.split())[:40]) for header in headers[:_SHOWN_COLUMNS]]
    more = len(headers) - _SHOWN_COLUMNS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
