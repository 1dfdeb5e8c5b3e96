"""Whether a document can be sent, and whether an earlier row was the same contact."""

from collections.abc import Callable
from dataclasses import dataclass

from callspool.checks import Rules
from callspool.errors import InvalidCallRequest
from callspool.intake.cells import healed_number, refuse_shortened_id
from callspool.intake.earlier import LONGEST_ID, EarlierRows
from callspool.intake.row import Likeness, Row
from callspool.intake.seen import Seen
from callspool.known import Known
from callspool.raw_document import examined, identified, with_number


@dataclass(frozen=True, slots=True)
class Memory:
    """What is to be remembered of each good row, for the rows that turn out to be its duplicates.

    ``note`` makes it of a row with its ``document_id``; always ``size`` bytes.
    """

    size: int
    note: Callable[[Row], bytes]


class Judge:
    """Judges rows one after the other.

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

    def judge(self, row: Row) -> None:
        """Fills in ``document_id``, ``raw`` and, where there is one, what stands against the row.

        A row that was refused before is left as it is. One that is not good is not remembered.
        """
        if row.reason:
            return
        try:
            # Made of cells just now: no field twice, no null, no surprise of foreign JSON.
            known, raw = (row.known, row.raw) if row.known is not None else _examined(row)
            document, number = identified(known, raw, self._rules)
        except InvalidCallRequest as fault:
            row.reason = f"{fault.field}: {fault.reason}"
            return
        except ValueError as lost:
            row.reason = str(lost)
            return
        row.document_id, row.raw = document.document_id, document.raw
        given = known.document_id or ""
        if not self._is_duplicate(row, number, given):
            noted = self._memory.note(row) if self._memory else b""
            self._rows.add(row.file, row.line, given, noted)

    def _is_duplicate(self, row: Row, number: str, given: str) -> bool:
        here = self._rows.next
        if self._numbers is not None:
            first = self._numbers.add(number, here)
            if first is not None:
                earlier = row.earlier = self._rows.at(first)
                same = given[:LONGEST_ID] == earlier.document_id
                row.duplicate = Likeness.CONTACT if same else Likeness.NUMBER
                return True
        first = self._ids.add(row.document_id, here)
        if first is None:
            return False
        row.earlier = self._rows.at(first)
        if self._numbers is None:
            row.duplicate = Likeness.ID
        else:
            row.duplicate = Likeness.REUSED_ID
            self._numbers.forget_last(number)
        return True


def _examined(row: Row) -> tuple[Known, bytes]:
    """A row of JSON, its number put right as one of a table is."""
    known, raw = examined(row.raw)
    number = known.contact_number
    known.contact_number = healed_number(number)
    row.healed = known.contact_number != number
    refuse_shortened_id(known.document_id or "")
    return known, with_number(raw, known.contact_number) if row.healed else raw
