"""What workers decide about batches and gates: accepted, taken, answered, parked."""

from __future__ import annotations

from typing import ClassVar

from callspool_worker.events.event import AttemptEvent, Event, Level, format_documents


class MessageAccepted(Event, frozen=True, kw_only=True):
    """The ledger has what messages held for one account.

    ``message_ids``: of several that were accepted together, ``message_id`` being the first; one
    that came with a trace, or holds something to warn of, is told by itself.
    ``documents`` are new and wait; ``dead`` ones can never be sent, ``suppressed`` ones must not
    be called: they are among the new. ``batches``: where they went,
    the first ones of many, and with them what the same messages held for other accounts.
    ``trace``: the W3C traceparent that came along. ``key``: name of the key with which they came
    over HTTP.
    """

    kind: ClassVar[str] = "accepted"
    message_id: str
    message_ids: tuple[str, ...] = ()
    account: str
    documents: int
    duplicate: int = 0
    conflict: int = 0
    invalid: int = 0
    dead: int = 0
    suppressed: int = 0
    batches: tuple[int, ...] = ()
    trace: str = ""
    key: str = ""

    @property
    def urgency(self) -> Level:
        return "warning" if self.invalid or self.dead or self.conflict else "info"

    def words(self) -> str:
        beside = {
            "duplicate": self.duplicate,
            "with the id of another number": self.conflict,
            "refused": self.invalid,
            "dead": self.dead,
            "suppressed": self.suppressed,
        }
        parts = [f"{number} {name}" for name, number in beside.items() if number]
        told = ", ".join([f"{format_documents(self.documents)} accepted", *parts])
        advice = " (callspool invalid tells why)" if self.invalid else ""
        which = f"message {self.message_id}"
        if self.message_ids:
            which = f"{len(self.message_ids)} messages from {self.message_id} on"
        return f"{which}: {told}{advice}"


class Expired(Event, frozen=True, kw_only=True):
    """Documents that waited too long, and are never sent."""

    kind: ClassVar[str] = "expired"
    batch: int
    account: str
    documents: int

    def words(self) -> str:
        return f"batch {self.batch}: {format_documents(self.documents)} expired before being sent"


class NumbersSuppressed(Event, frozen=True, kw_only=True):
    """Documents whose numbers came onto a list: they are cancelled, and not called."""

    kind: ClassVar[str] = "numbers_suppressed"
    batch: int
    account: str
    documents: int

    def words(self) -> str:
        return f"batch {self.batch}: {format_documents(self.documents)} must not be called"


class DocumentsCapped(Event, frozen=True, kw_only=True):
    """Documents whose numbers were called as often as a cap allows: they wait until it frees."""

    kind: ClassVar[str] = "cap_reached"
    level: ClassVar[Level] = "debug"
    batch: int
    account: str
    documents: int

    def words(self) -> str:
        return f"batch {self.batch}: {format_documents(self.documents)} wait for a cap"


class BatchTaken(AttemptEvent, frozen=True, kw_only=True):
    """A batch was taken, to be sent. ``traces``: of the requests in it, the first ones of many."""

    kind: ClassVar[str] = "taken"
    level: ClassVar[Level] = "debug"
    space: str
    lane: str
    documents: int
    tries: int = 0
    traces: tuple[str, ...] = ()

    def words(self) -> str:
        return f"{self.start} {format_documents(self.documents)} taken"


class Attempt(AttemptEvent, frozen=True, kw_only=True):
    """An attempt is over, and recorded.

    ``outcome`` and ``code`` are as in the metrics. ``decision``: created, in_doubt, again, parted,
    dead, parked or throttled. ``why``: how an answer failed to come (connect, dns, tls, timeout,
    reset …). ``documents`` are those that the decision is about; ``created``
    those that a late proof had created meanwhile, ``twice`` those that another attempt had.
    ``tries`` were used up before. ``seconds``: of the request. ``rests``: until it is sent again.
    ``late``: the attempt was not the batch's any more, and nothing was counted.
    """

    kind: ClassVar[str] = "attempt"
    space: str
    lane: str
    outcome: str
    code: str = ""
    decision: str
    why: str = ""
    documents: int
    seconds: float
    tries: int = 0
    rests: float = 0.0
    run_id: str = ""
    created: int = 0
    twice: int = 0
    late: bool = False
    traces: tuple[str, ...] = ()

    @property
    def urgency(self) -> Level:
        if self.twice:
            return "error"
        return "info" if self.outcome == "created" and not self.late else "warning"

    def words(self) -> str:
        said = " ".join(part for part in (self.outcome, self.code, self.why) if part)
        if self.late:
            what = f"an answer that came too late: {said}"
        else:
            what = f"{format_documents(self.documents)} {_DECISIONS[self.decision]}: {said}"
            what += f", in run {self.run_id}" if self.run_id else ""
        if self.twice:
            what += f"; {format_documents(self.twice)} had been created by another attempt"
        return f"{self.start} {what}"


_DECISIONS = {
    "created": "created",
    "in_doubt": "in doubt",
    "again": "to be sent again",
    "parted": "to be sent in parts",
    "dead": "dead",
    "parked": "parked",
    "throttled": "to wait, since the API asked to slow down",
}


class Lapsed(AttemptEvent, frozen=True, kw_only=True):
    """A worker fell silent while it held a batch, which may have been sent."""

    kind: ClassVar[str] = "lapsed"
    level: ClassVar[Level] = "warning"
    lane: str
    outcome: str = "no_answer"
    documents: int
    created: int = 0
    why: str

    def words(self) -> str:
        return f"{self.start} {format_documents(self.documents)} in doubt: {self.why}"


class Parked(Event, frozen=True, kw_only=True):
    """A gate closed, or a probe found it closed still: nothing behind it is sent.

    ``part``: the account, the space or the lane. ``refusals``: how often that was found.
    """

    kind: ClassVar[str] = "parked"
    level: ClassVar[Level] = "warning"
    part: str
    account: str
    space: str
    lane: str
    code: str = ""
    refusals: int = 1

    def words(self) -> str:
        still = "is parked" if self.refusals <= 1 else "stays parked"
        return f"{_name_part(self)} {still}: {self.code} (callspool lanes tells why)"


class Opened(Event, frozen=True, kw_only=True):
    """A gate opened: the API took, or answered, what was tried."""

    kind: ClassVar[str] = "opened"
    part: str
    account: str
    space: str
    lane: str

    def words(self) -> str:
        return f"{_name_part(self)} sends again"


class Down(Event, frozen=True, kw_only=True):
    """Requests of an account failed in a row: only probes are sent until its API answers."""

    kind: ClassVar[str] = "down"
    level: ClassVar[Level] = "error"
    account: str
    code: str = ""
    failures: int

    def words(self) -> str:
        said = f", last with {self.code}" if self.code else ""
        return f"account {self.account}: the API is down ({self.failures} failures in a row{said})"


def _name_part(gate: Parked | Opened) -> str:
    if gate.part == "account":
        return f"account {gate.account}"
    return f"lane {gate.lane}" if gate.part == "lane" else f"space {gate.space}"
