"""From rows to checked documents: each row is checked, and compared with the earlier ones."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import Known
from callspool.request.checks import Rules
from callspool.request.phone_reading import NumberError
from callspool.request.phones import identify, identify_all
from callspool.request.raw_document import (
    CheckedDocument,
    check_number,
    complete_document,
    has_field,
    parse_document,
    with_fields,
)
from callspool.request.text import are_words
from callspool_operators.lists.cells import (
    NOT_GIVEN,
    healed_id,
    healed_number,
    read_cell,
    refuse_stand_in,
)
from callspool_operators.lists.columns import ALTERNATE, CONTACT_NUMBER, DOCUMENT_ID
from callspool_operators.lists.row import (
    LEFT_OUT_BEFORE,
    LONGEST_ID,
    Beside,
    EarlierRows,
    Likeness,
    Row,
)

_LEAST_PLACES = 1 << 18
_TEXTS_FOR_EACH_PLACE = 0.5
_SALT = "#"
_FOUR_BYTES = 0xFFFFFFFF
_ALIKE = frozenset(7 * digit for digit in "0123456789")
"""How numbers may end whose digits are all the same."""


class SeenTexts:
    """Numbers texts from 0 in the order in which they were added; each takes about 24 bytes.

    Texts are told apart by 12 bytes of two of Python's own hashes: among a billion, two are alike
    with a chance of 1 in 10^11. The first, of eight bytes, gives a text its place. ``_heads``
    holds the number (from 1) of the text that came last to each place, ``_before`` that of the one
    which was there when each text came.
    """

    def __init__(self, expect: Callable[[int], int] = lambda count: count) -> None:
        """``expect``: estimates how many texts there will be in all, from those so far."""
        self._expect = expect
        self._mask = _LEAST_PLACES - 1
        self._heads = array("I", bytes(4 * _LEAST_PLACES))
        self._before = array("I")
        self._hashes = array("q")
        self._salted = array("I")

    def add(self, texts: Sequence[str]) -> tuple[int, int | None]:
        """Adds texts up to the first that is there already, or twice among them.

        Returns how many were added, and, where not all were, the number of that text.
        """
        keys = [*map(hash, texts)]
        start = len(self._before)
        if start + len(texts) > _TEXTS_FOR_EACH_PLACE * self._mask:
            self._grow()
        mask, heads, before, hashes = self._mask, self._heads, self._before, self._hashes
        # As arrays: these take other arrays five times as fast as lists.
        hashes.extend(array("q", keys))
        salted = map(_FOUR_BYTES.__and__, map(hash, map(_SALT.__add__, texts)))
        self._salted.extend(array("I", [*salted]))
        keep = before.append
        for number, key in enumerate(keys, start + 1):
            place = key & mask
            found = head = heads[place]
            while found and (hashes[found - 1] != key or not self._are_same(found, number)):
                found = before[found - 1]
            if found:
                del hashes[number - 1 :], self._salted[number - 1 :]
                return number - 1 - start, found - 1
            keep(head)
            heads[place] = number
        return len(texts), None

    def _are_same(self, one: int, other: int) -> bool:
        return self._salted[one - 1] == self._salted[other - 1]

    def take_back(self, count: int) -> None:
        """Forgets the texts that were added last."""
        for _ in range(count):
            self._heads[self._hashes.pop() & self._mask] = self._before.pop()
            self._salted.pop()

    def _grow(self) -> None:
        count = len(self._before)
        wanted = max(2 * count, self._expect(count)) / _TEXTS_FOR_EACH_PLACE
        while self._mask < wanted:
            self._mask = 2 * self._mask + 1
        mask = self._mask
        heads = self._heads = array("I", bytes(4 * (mask + 1)))
        before = array("I")
        for number, key in enumerate(self._hashes, 1):
            place = key & mask
            before.append(heads[place])
            heads[place] = number
        self._before = before


@dataclass(frozen=True, slots=True)
class SeenRows:
    """What is to be remembered of each good row, for the rows that turn out to be its duplicates.

    ``note`` makes it of a row with its ``document_id``; always ``size`` bytes.
    """

    size: int
    note: Callable[[Row], bytes]


class RowChecker:
    """Judges rows, some at a time, in their order.

    Unless numbers may be shared, the second contact with a number is a duplicate, whatever its id.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        allow_shared_numbers: bool,
        memory: SeenRows | None = None,
        id_prefix: str = "",
        compares_rows: bool = True,
        expect: Callable[[int], int] = lambda count: count,
    ) -> None:
        self._rules = rules
        self._compares_rows = compares_rows
        self._id_prefix = id_prefix
        self._memory = memory
        self._rows = EarlierRows(memory.size if memory else 0)
        self._ids = SeenTexts(expect)
        self._numbers = None if allow_shared_numbers else SeenTexts(expect)
        self._barred: set[str] = set()

    def bar(self, rows: Sequence[Row]) -> None:
        """Keeps the numbers of rows that were left out from being called for other rows.

        Not where numbers may be shared: then another id is another person.
        """
        if self._numbers is not None:
            left_out = (row for row in rows if row.reason.startswith(LEFT_OUT_BEFORE))
            self._barred.update(filter(None, map(self._digits_of, left_out)))

    def _digits_of(self, row: Row) -> str:
        """The digits of a number that is not looked at any more; nothing where it is none."""
        try:
            known = row.known or parse_document(row.raw)[0]
            cell = read_cell(healed_number(known.contact_number), self._rules.region)
            return identify(cell.number, self._rules.region).removeprefix("+")
        except (InvalidCallRequest, ValueError):
            return ""

    def check(self, rows: Sequence[Row]) -> None:
        """Fills in ``document_id``, ``raw`` and, where there is one, what stands against a row.

        A row that was refused before is left as it is. One that is not good is not remembered.
        """
        fresh = [row for row in rows if not row.reason]
        numbers = self._numbers_of(fresh)
        pairs = zip(fresh, numbers, strict=True)
        judged = [(row, number) for row, number in pairs if not row.reason]
        if self._barred:
            for row, number in judged:
                if number.removeprefix("+") in self._barred:
                    row.reason = f"{LEFT_OUT_BEFORE}another row with its number is (--skip-if)"
            judged = [(row, number) for row, number in judged if not row.reason]
        if self._rules.region is None:
            for row, number in judged:
                if number[0] != "+":
                    row.without_country = True
        if not self._compares_rows:
            return
        place, most = 0, len(judged)
        while place < len(judged):
            some = judged[place : place + most]
            good = self._compare(some)
            place += good + (good < len(some))
            # After a duplicate, others may follow: what is in vain is kept small.
            most = 2 * most if good == len(some) else 1

    def _numbers_of(self, rows: Sequence[Row]) -> list[str]:
        """The identifying forms of the numbers; what is wrong with a row is filled in."""
        known = [row.known for row in rows if row.known is not None]
        if len(known) < len(rows):
            return [self._number_of(row) for row in rows]
        if self._id_prefix:
            for row in rows:
                self._put_prefix(row)
        # Made of cells just now: no field twice, no null, no surprise of foreign JSON.
        forms = identify_all([each.contact_number for each in known], self._rules.region)
        are_good = are_words([each.document_id for each in known if each.document_id])
        numbers = []
        for row, each, form in zip(rows, known, forms, strict=True):
            if form is None or form[-7:] in _ALIKE or not are_good or not each.name:
                numbers.append(self._number_of(row))
                continue
            if each.document_id and form == each.contact_number:
                row.document_id = each.document_id
            else:
                document = complete_document(each, row.raw, form, self._rules, flat=True)
                row.document_id, row.raw = document.document_id, document.raw
            numbers.append(form)
        return numbers

    def _number_of(self, row: Row) -> str:
        """As `_numbers_of`, of one row of any kind."""
        if row.known is not None and (blank := _blank_field(row.known)):
            row.reason = f"{blank}: must not be blank"
            return ""
        try:
            if row.known is None:
                row.known, row.raw = _read_object(row)
                self._put_prefix(row)
            document, number = self._identify(row, row.known)
            if number[-7:] in _ALIKE:
                refuse_stand_in(number)
        except NumberError as wrong:
            row.reason = f"{CONTACT_NUMBER}: {wrong}"
        except InvalidCallRequest as fault:
            row.reason = f"{fault.field}: {fault.reason}"
        except ValueError as lost:
            row.reason = str(lost)
        else:
            row.document_id, row.raw = document.document_id, document.raw
            return number
        return ""

    def _put_prefix(self, row: Row) -> None:
        known = row.known
        if row.has_whole_id:
            return
        if self._id_prefix and known is not None and known.document_id:
            known.document_id = self._id_prefix + known.document_id
            row.raw = with_fields(row.raw, {DOCUMENT_ID: known.document_id})

    def _identify(self, row: Row, known: Known) -> tuple[CheckedDocument, str]:
        """The document, and the form of its number; of a cell with more in it, the number alone."""
        try:
            return check_number(known, row.raw, self._rules)
        except InvalidCallRequest as fault:
            if fault.field != CONTACT_NUMBER:
                raise
            try:
                cell = read_cell(known.contact_number, self._rules.region)
            except NumberError as wrong:
                reason = str(wrong) if known.contact_number.strip() else fault.reason
                raise InvalidCallRequest(CONTACT_NUMBER, reason) from None
            if cell.second and has_field(row.raw, ALTERNATE):
                raise
        known.contact_number = cell.number
        second = {ALTERNATE: cell.second} if cell.second else {}
        row.raw = with_fields(row.raw, {CONTACT_NUMBER: cell.number, **second})
        row.beside = Beside.SECOND if cell.second else Beside.NOTE
        return check_number(known, row.raw, self._rules)

    def _compare(self, judged: Sequence[tuple[Row, str]]) -> int:
        """How many good rows come before the first that repeats an earlier one, which is marked.

        ``judged``: rows, all of one file, and the identifying forms of their numbers. The rows
        before the duplicate are remembered.
        """
        count, first = len(judged), None
        if self._numbers is not None:
            # By digits: a spreadsheet may have taken the + away.
            count, first = self._numbers.add([number.removeprefix("+") for _, number in judged])
        rows = [row for row, _ in judged]
        good, same = self._ids.add([row.document_id for row in rows[:count]])
        if same is not None and self._numbers is not None:
            self._numbers.take_back(count - good)
        self._remember(rows[:good])
        if same is not None:
            row = rows[good]
            row.earlier = self._rows.at(same)
            row.duplicate = Likeness.ID if self._numbers is None else Likeness.REUSED_ID
        elif first is not None:
            row = rows[good]
            row.earlier = self._rows.at(first)
            alike = _id_of(row)[:LONGEST_ID] == row.earlier.document_id
            row.duplicate = Likeness.CONTACT if alike else Likeness.NUMBER
        return good

    def _remember(self, rows: Sequence[Row]) -> None:
        if rows:
            noted = [self._memory.note(row) for row in rows] if self._memory else []
            self._rows.add(rows[0].file, [row.line for row in rows], [*map(_id_of, rows)], noted)


def _id_of(row: Row) -> str:
    """The id that a row gave, if it did."""
    return (row.known and row.known.document_id) or ""


def _blank_field(known: Known) -> str:
    """The field that is blank in cells: known without reading a number that is not there."""
    if not known.name.strip():
        return "name"
    return "" if known.contact_number.strip() else "contact_number"


def _read_object(row: Row) -> tuple[Known, bytes]:
    """A row of JSON, its number and its id put right as those of a table are."""
    try:
        known, raw = parse_document(row.raw)
    except InvalidCallRequest as fault:
        if fault.field not in _TEXTS:
            raise
        known, raw = parse_document(_quote_numbers(row.raw))
    number, document_id = known.contact_number, known.document_id
    known.contact_number = healed_number(number)
    row.healed = known.contact_number != number
    changed = {CONTACT_NUMBER: known.contact_number} if row.healed else {}
    if document_id in NOT_GIVEN:
        known.document_id = None
        fields = _fields(raw)
        del fields[DOCUMENT_ID]
        raw = msgspec.json.encode(fields)
    elif document_id and (healed := healed_id(document_id)) and healed != document_id:
        changed[DOCUMENT_ID] = known.document_id = healed
    return known, with_fields(raw, changed) if changed else raw


_TEXTS = (CONTACT_NUMBER, DOCUMENT_ID)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _quote_numbers(raw: bytes) -> bytes:
    """The object with number and id as texts, where they are numbers of JSON."""
    fields = _fields(raw)
    given = {name: bytes(fields[name]).strip() for name in _TEXTS if name in fields}
    numbers = {name: text.decode() for name, text in given.items() if text[:1].isdigit()}
    return with_fields(raw, numbers) if numbers else raw
