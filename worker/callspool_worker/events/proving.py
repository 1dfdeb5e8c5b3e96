"""What reading back showed: of documents in doubt, and of created calls that are followed."""

from __future__ import annotations

from typing import ClassVar

from callspool_worker.events.event import AttemptEvent, Event, Level, format_documents


class Proven(AttemptEvent, frozen=True, kw_only=True):
    """Documents in doubt were found at the API.

    ``twice``: documents that another attempt had created already.
    """

    kind: ClassVar[str] = "proven"
    documents: int
    run_id: str
    twice: int = 0

    @property
    def urgency(self) -> Level:
        return "error" if self.twice else "info"

    def words(self) -> str:
        told = f"{self.start} {format_documents(self.documents)} proven to be created"
        told += f", in run {self.run_id}"
        if not self.twice:
            return told
        return f"{told}; {format_documents(self.twice)} had been created by another attempt"


class SentAgain(AttemptEvent, frozen=True, kw_only=True):
    """Documents in doubt wait again: ``proof`` says whether they were proven missing."""

    kind: ClassVar[str] = "sent_again"
    level: ClassVar[Level] = "warning"
    documents: int
    proof: bool
    rests: float = 0.0

    def words(self) -> str:
        why = "missing at the API" if self.proof else "without proof: a person may be called twice"
        return f"{self.start} {format_documents(self.documents)} in doubt to be sent again, {why}"


class MissingDead(AttemptEvent, frozen=True, kw_only=True):
    """Documents are missing: their tries are used up, or the API refused them with ``code``."""

    kind: ClassVar[str] = "missing_dead"
    level: ClassVar[Level] = "warning"
    documents: int
    code: str | None = None

    def words(self) -> str:
        why = f"rejected {self.code}" if self.code else "sent, and missing again and again"
        return f"{self.start} {format_documents(self.documents)} dead: {why}"


class Held(AttemptEvent, frozen=True, kw_only=True):
    """An attempt in doubt cannot be proven now. Said once for each reason."""

    kind: ClassVar[str] = "held"
    level: ClassVar[Level] = "warning"
    documents: int
    why: str

    def words(self) -> str:
        return f"{self.start} {format_documents(self.documents)} cannot be proven: {self.why}"


class Repeated(AttemptEvent, frozen=True, kw_only=True):
    """Something on the way to the API repeated a request: documents have two tasks."""

    kind: ClassVar[str] = "repeated"
    level: ClassVar[Level] = "error"
    documents: int

    def words(self) -> str:
        repeated = f"{self.start} {format_documents(self.documents)} have two tasks"
        return f"{repeated}: something on the way to the API repeated the request"


class SpaceUnreadable(Event, frozen=True, kw_only=True):
    """A space with documents in doubt cannot be read back. Said when that begins."""

    kind: ClassVar[str] = "unreadable"
    level: ClassVar[Level] = "warning"
    account: str
    space: str
    refused: bool

    def words(self) -> str:
        why = "the API refuses it" if self.refused else "no readable answer"
        return (
            f"space {self.space} of account {self.account} cannot be read back: {why} (callspool"
            " doubts list tells more)"
        )


class Recalled(AttemptEvent, frozen=True, kw_only=True):
    """Documents that Redis forgot when it restarted were found at the API.

    ``twice``: documents that another attempt had created already.
    """

    kind: ClassVar[str] = "recalled"
    level: ClassVar[Level] = "warning"
    documents: int
    run_id: str
    twice: int = 0

    def words(self) -> str:
        return (
            f"batch {self.batch}: {format_documents(self.documents)} that Redis forgot are"
            f" created, in run {self.run_id}"
        )


class NothingForgotten(Event, frozen=True, kw_only=True):
    """Redis restarted and had forgotten nothing, as all workers found: spaces send again.

    ``spaces``: that were opened.
    """

    kind: ClassVar[str] = "nothing_forgotten"
    spaces: int
    partition: int

    def words(self) -> str:
        spaces = "1 space sends" if self.spaces == 1 else f"{self.spaces} spaces send"
        return f"Redis restarted and forgot nothing: {spaces} again"


class ReadBack(Event, frozen=True, kw_only=True):
    """A space was read back after Redis restarted, and sends again.

    ``documents``: found there and known. ``strays``: found there, and forgotten by Redis.
    """

    kind: ClassVar[str] = "read_back"
    account: str
    space: str
    documents: int
    strays: int = 0

    @property
    def urgency(self) -> Level:
        return "warning" if self.strays else "info"

    def words(self) -> str:
        told = (
            f"space {self.space} of account {self.account} was read back after Redis restarted:"
            f" {format_documents(self.documents)} recalled"
        )
        if not self.strays:
            return told
        return f"{told}, {self.strays} forgotten ones are not sent if they come again"


class CallsEnded(Event, frozen=True, kw_only=True):
    """Calls of a batch ended, or have another outcome than before; ``open`` ones are left."""

    kind: ClassVar[str] = "calls_ended"
    batch: int
    account: str
    outcomes: dict[str, int]
    open: int = 0

    def words(self) -> str:
        each = ", ".join(f"{number} {outcome}" for outcome, number in self.outcomes.items())
        return f"batch {self.batch}: calls ended: {each}; {self.open} open"


class CallsUnreadable(Event, frozen=True, kw_only=True):
    """Calls of a space cannot be followed for now. ``refused``: the API refuses to read it."""

    kind: ClassVar[str] = "calls_unreadable"
    level: ClassVar[Level] = "warning"
    account: str
    space: str
    refused: bool = False

    def words(self) -> str:
        why = "the API refuses it" if self.refused else "the API gives no list that can be read"
        return f"calls of space {self.space} of account {self.account} are not followed: {why}"


class NoCalls(Event, frozen=True, kw_only=True):
    """The tasks of a space are no calls: it is made for something else, and nothing rings."""

    kind: ClassVar[str] = "no_calls"
    level: ClassVar[Level] = "error"
    account: str
    space: str
    execution_type: str

    def words(self) -> str:
        return (
            f"tasks of space {self.space} of account {self.account} are no calls"
            f" (execution_type {self.execution_type}), and nothing rings: name another space"
        )
