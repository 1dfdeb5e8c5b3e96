"""What became of the rows of a list: looked up in the ledger, thousands at a time."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from callspool.request.identity import DIGEST_BYTES, NO_NUMBER, Scope, digester, number_digests
from callspool.request.raw_document import read_number
from callspool_ledger.reads.lookup import CONFLICT
from callspool_ledger.reads.views import CallEnd, DocumentStatus
from callspool_operators.lists.row import ANSWERS, Row
from callspool_operators.lists.row_checks import SeenRows
from callspool_operators.terminal.wording import local, plain

UNKNOWN = "unknown"
INVALID = "invalid"
SUPPRESSED = "suppressed"
"""A row that was cancelled since its number is on a list; its reason begins with the word, too."""

_TOLD = len(ANSWERS) - 5
"""Cells that a document's status fills."""

_PLACE = 7
_FILE = 2


Find: TypeAlias = Callable[
    [Sequence[bytes], Sequence[str], Sequence[bytes]], list[DocumentStatus | None]
]
"""Finds where documents are, by their identities, ids and digests of their numbers."""


class AnsweredRow(NamedTuple):
    """A row and what stands beside it: a cell for each of `ANSWERS`.

    ``outcome``: what became of its call, "" where it was not created.
    """

    row: Row
    state: str
    cells: list[str]
    outcome: str = ""


class Answers:
    """Answers for the rows of one list, all in one scope.

    ``counts``: rows by state, those that repeat an earlier row under ``duplicate``; ``outcomes``:
    created ones by outcome. ``unknown``: the reason for documents that the ledger does not know.
    """

    def __init__(self, find: Find, scope: Scope, files: Sequence[str], unknown: str) -> None:
        self.counts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._find = find
        self._files = list(dict.fromkeys(files))
        self._digest = digester(scope)
        # Documents of one batch have most of these in common.
        self._moment = lru_cache(maxsize=10_000)(local)
        self._plain = lru_cache(maxsize=10_000)(plain)
        self._unknown = unknown

    def memory(self) -> SeenRows:
        """Returns what remembers rows for their duplicates: where each stands, and its identity."""
        return SeenRows(_PLACE + DIGEST_BYTES, self._note)

    def _note(self, row: Row) -> bytes:
        file = self._files.index(row.file).to_bytes(_FILE)
        return file + row.line.to_bytes(_PLACE - _FILE) + self._digest(row.document_id)

    def of(self, rows: Sequence[Row]) -> list[AnsweredRow]:
        """Returns the answers for some rows, in their order. Raises `QueueUnavailable`."""
        asked = [row for row in rows if not row.reason]
        repeats = [row for row in asked if row.earlier]
        digests = [self._digest(row.document_id) for row in asked]
        digests += [row.earlier.noted[_PLACE:] for row in repeats if row.earlier]
        names = [row.document_id for row in (*asked, *repeats)]
        numbers = number_digests(read_number(row.raw) for row in asked)
        numbers += [NO_NUMBER] * len(repeats)
        found = iter(self._find(digests, names, numbers))
        own = {id(row): next(found) for row in asked}
        first = {id(row): next(found) for row in repeats}
        # A row with another's number may have been sent all the same, where numbers were shared.
        return [self._answer(row, own.get(id(row)) or first.get(id(row))) for row in rows]

    def _answer(self, row: Row, status: DocumentStatus | None) -> AnsweredRow:
        if row.reason:
            self.counts[INVALID] += 1
            nothing = [""] * (len(ANSWERS) - 3)
            cells = [INVALID, row.reason, *nothing, str(row.line)]
            return AnsweredRow(row, INVALID, cells)
        state = status.state if status else UNKNOWN
        if status and state == "cancelled" and (status.reason or "").startswith(SUPPRESSED):
            state = SUPPRESSED
        self.counts["duplicate" if row.duplicate else state] += 1
        is_told = status is not None and state != CONFLICT
        found = self._answer_cells(status) if status and is_told else [""] * _TOLD
        reason = self._plain(status.reason or "") if status else self._unknown
        beside = [self._first_place(row.earlier.noted) if row.earlier else "", str(row.line)]
        outcome = (status.outcome or "") if status and is_told else ""
        self.outcomes[outcome] += bool(outcome) and not row.duplicate
        return AnsweredRow(row, state, [state, reason, row.document_id, *found, *beside], outcome)

    def _answer_cells(self, status: DocumentStatus) -> list[str]:
        return [
            status.run_id or "",
            status.task_id or "",
            str(status.attempts),
            self._moment(status.accepted_at),
            self._moment(status.settled_at) if status.settled_at else "",
            status.outcome or "",
            *self._call_cells(status.call),
        ]

    def _call_cells(self, call: CallEnd | None) -> list[str]:
        if call is None:
            return [""] * 6
        return [
            self._plain(call.call_status or ""),
            self._plain(call.end_reason or ""),
            self._moment(call.started_at) if call.started_at else "",
            self._moment(call.ended_at) if call.ended_at else "",
            str(call.duration),
            str(call.rings),
        ]

    def _first_place(self, note: bytes) -> str:
        line = f"line {int.from_bytes(note[_FILE:_PLACE])}"
        if len(self._files) == 1:
            return line
        return f"{self._files[int.from_bytes(note[:_FILE])]}, {line}"
