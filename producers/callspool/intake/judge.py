"""Whether a document can be sent, and whether an earlier row was the same contact."""

import msgspec

from callspool.checks import Rules, check_raw_document
from callspool.errors import InvalidCallRequest
from callspool.intake.row import Row
from callspool.intake.seen import Seen
from callspool.known import Known
from callspool.phones import identify
from callspool.raw_document import settled

_known = msgspec.json.Decoder(Known).decode


class Judge:
    """Judges rows one after the other.

    Unless numbers may be shared, the second contact with a number is a duplicate, whatever its id.
    """

    def __init__(self, rules: Rules, *, allow_shared_numbers: bool) -> None:
        self._rules = rules
        self._ids = Seen()
        self._numbers = None if allow_shared_numbers else Seen()

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
            row.duplicate = self._seen_before(row.document_id, number)

    def _seen_before(self, document_id: str, number: str) -> str:
        if self._numbers is None:
            return "" if self._ids.add(document_id) else "document_id"
        identity = identify(number, self._rules.region)
        if not self._numbers.add(identity):
            return "contact_number"
        if self._ids.add(document_id):
            return ""
        self._numbers.forget_last(identity)
        return "document_id"
