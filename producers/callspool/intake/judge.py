"""Whether documents can be sent, and whether earlier rows were the same contacts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from callspool.checks import Rules
from callspool.errors import InvalidCallRequest
from callspool.intake.cells import healed_number, refuse_shortened_id
from callspool.intake.earlier import LONGEST_ID, EarlierRows
from callspool.intake.row import Likeness, Row
from callspool.intake.seen import Seen, digests
from callspool.known import Known
from callspool.phone_lists import identify_all
from callspool.raw_document import examined, finished, identified, with_number
from callspool.text import are_words


@dataclass(frozen=True, slots=True)
class Memory:
    """What is to be remembered of each good row, for the rows that turn out to be its duplicates.

    ``note`` makes it of a row with its ``document_id``; always ``size`` bytes.
    """

    size: int
    note: Callable[[Row], bytes]


class Judge:
    """Judges rows, some at a time, in their order.

    Unless numbers may be shared, the second contact with a number is a duplicate, whatever its id.
    """

    def __init__(
        self, rules: Rules, *, allow_shared_numbers: bool, memory: Memory | None = None
    ) -> None:
        self._rules = rules
        self._memory = memory
        self._rows = EarlierRows(memory.size if memory else 0)
        self._ids = Seen()
        self._numbers = None if allow_shared_numbers else Seen()

    def judge(self, rows: Sequence[Row]) -> None:
        """Fills in ``document_id``, ``raw`` and, where there is one, what stands against a row.

        A row that was refused before is left as it is. One that is not good is not remembered.
        """
        fresh = [row for row in rows if not row.reason]
        numbers = self._numbers_of(fresh)
        pairs = zip(fresh, numbers, strict=True)
        self._compare([(row, number) for row, number in pairs if not row.reason])

    def _numbers_of(self, rows: Sequence[Row]) -> list[str]:
        """The identifying forms of the numbers; what is wrong with a row is filled in."""
        known = [row.known for row in rows if row.known is not None]
        if len(known) < len(rows):
            return [self._number_of(row) for row in rows]
        # Made of cells just now: no field twice, no null, no surprise of foreign JSON.
        forms = identify_all([each.contact_number for each in known], self._rules.region)
        are_good = are_words([each.document_id for each in known if each.document_id])
        as_it_is = are_good and not self._rules.send_e164
        numbers = []
        for row, each, form in zip(rows, known, forms, strict=True):
            if form is None or not are_good or not each.name:
                numbers.append(self._number_of(row))
                continue
            if as_it_is and each.document_id:
                row.document_id = each.document_id
            else:
                document = finished(each, row.raw, form, self._rules)
                row.document_id, row.raw = document.document_id, document.raw
            numbers.append(form)
        return numbers

    def _number_of(self, row: Row) -> str:
        """As `_numbers_of`, of one row of any kind."""
        try:
            if row.known is None:
                row.known, row.raw = _examined(row)
            document, number = identified(row.known, row.raw, self._rules)
        except InvalidCallRequest as fault:
            row.reason = f"{fault.field}: {fault.reason}"
        except ValueError as lost:
            row.reason = str(lost)
        else:
            row.document_id, row.raw = document.document_id, document.raw
            return number
        return ""

    def _compare(self, judged: Sequence[tuple[Row, str]]) -> None:
        """Looks for what good rows repeat, in their order; those that repeat none are remembered.

        ``judged``: rows and the identifying forms of their numbers.
        """
        keep, note = self._rows.add, self._memory.note if self._memory else None
        put_id, put_number = self._ids.put, self._numbers.put if self._numbers else None
        ids = digests([row.document_id for row, _ in judged])
        numbers = digests([number for _, number in judged]) if put_number else ids
        here = self._rows.next
        for (row, number), id_digest, number_digest in zip(judged, ids, numbers, strict=True):
            document_id, known = row.document_id, row.known
            given = (known and known.document_id) or ""
            if put_number and (first := put_number(number, number_digest, here)) is not None:
                self._same_number(row, given, first)
            elif (first := put_id(document_id, id_digest, here)) is not None:
                self._same_id(row, number, first)
            else:
                keep(row.file, row.line, given, note(row) if note else b"")
                here = self._rows.next

    def _same_number(self, row: Row, given: str, first: bytes | bytearray) -> None:
        earlier = row.earlier = self._rows.at(first)
        same = given[:LONGEST_ID] == earlier.document_id
        row.duplicate = Likeness.CONTACT if same else Likeness.NUMBER

    def _same_id(self, row: Row, number: str, first: bytes | bytearray) -> None:
        row.earlier = self._rows.at(first)
        row.duplicate = Likeness.REUSED_ID if self._numbers else Likeness.ID
        if self._numbers:
            self._numbers.forget_last(number)


def _examined(row: Row) -> tuple[Known, bytes]:
    """A row of JSON, its number put right as one of a table is."""
    known, raw = examined(row.raw)
    number = known.contact_number
    known.contact_number = healed_number(number)
    row.healed = known.contact_number != number
    refuse_shortened_id(known.document_id or "")
    return known, with_number(raw, known.contact_number) if row.healed else raw
