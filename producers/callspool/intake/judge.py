"""Whether a document can be sent, and whether an earlier row was the same contact."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from callspool.checks import Rules, check_raw_document
from callspool.errors import InvalidCallRequest
from callspool.intake.row import Row
from callspool.intake.seen import Seen
from callspool.known import Known
from callspool.phones import identify
from callspool.raw_document import settled

_known = msgspec.json.Decoder(Known).decode


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
        size = memory.size if memory else 0
        self._ids = Seen(size)
        self._numbers = None if allow_shared_numbers else Seen(size)

    def judge(self, row: Row) -> None:
        """Fills in ``document_id``, ``raw`` and, where there is one, what stands against the row.

        A row that was refused before is left as it is. One that is not good is not remembered.
        """
        if row.reason:
            return
        rules = self._rules
        try:
            if row.known is not None:
                # Made of cells just now: no field twice, no null, no surprise of foreign JSON.
                document = settled(row.known, row.raw, rules)
                number = row.known.contact_number
            else:
                document = check_raw_document(row.raw, rules)
                number = _known(document.raw).contact_number
        except InvalidCallRequest as fault:
            row.reason = f"{fault.field}: {fault.reason}"
        else:
            row.document_id, row.raw = document.document_id, document.raw
            row.duplicate = self._seen_before(row, number)

    def _seen_before(self, row: Row, number: str) -> str:
        noted = self._memory.note(row) if self._memory else b""
        if self._numbers is not None:
            identity = identify(number, self._rules.region)
            if (first := self._numbers.note(identity, noted)) is not None:
                row.first = first
                return "contact_number"
        if (first := self._ids.note(row.document_id, noted)) is None:
            return ""
        if self._numbers is not None:
            self._numbers.forget_last(identity)
        row.first = first
        return "document_id"
