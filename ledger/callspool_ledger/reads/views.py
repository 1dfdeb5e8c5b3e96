"""What the ledger says, and what became of calls, as users read it. Times are aware and in UTC."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - frameworks read the annotations of statuses
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.request.identity import Scope
    from callspool_ledger.reads.campaigns import Bar
    from callspool_ledger.reads.held import HeldLanes
    from callspool_ledger.selectors import Selector


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended, in the API's words; what it did not say is None.

    ``duration`` in seconds; ``rings``: how often it was seen to ring, at least.
    """

    call_status: str | None
    end_reason: str | None
    started_at: datetime | None
    ended_at: datetime | None
    duration: int
    rings: int


DocumentState = Literal[
    "queued",
    "refused",
    "unknown",
    "waiting",
    "sending",
    "in_doubt",
    "created",
    "dead",
    "cancelled",
    "expired",
    "conflict",
]


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """Where a document is.

    ``state``: ``queued`` is in the queue, where no worker has accepted it yet; ``refused`` was not
    accepted, for ``reason``; ``unknown`` is none of both and not in the ledger; ``conflict`` has an
    id that the ledger knows with another number. ``accepted_at`` is None for these. ``attempts``:
    how often it was sent, or may have been. ``reason``: why it is where it is, if that is not
    plain.
    ``outcome``: what became of a created document's call (open, reached, not_reached, failed, ended
    or lost_sight), None while it is not created; ``call``: how that ended, None until it did.
    """

    document_id: str
    state: DocumentState
    run_id: str | None = None
    task_id: str | None = None
    attempts: int = 0
    reason: str | None = None
    accepted_at: datetime | None = None
    settled_at: datetime | None = None
    outcome: str | None = None
    call: CallEnd | None = None


class AttemptLine(msgspec.Struct, frozen=True):
    """One attempt to send a document, and the answer; ``documents`` were sent together."""

    number: int
    at: datetime
    outcome: str
    code: str
    detail: str
    documents: int
    seconds: float


class Story(msgspec.Struct, frozen=True):
    """All that is known of one document in one scope, and what comes next."""

    scope: Scope
    document_id: str
    state: str
    accepted_at: datetime
    settled_at: datetime | None
    expires_at: datetime | None
    attempts: list[AttemptLine]
    run_id: str | None
    task_id: str | None
    reason: str | None
    batch: int
    lane: str
    next_step: str
    journal: list[JournalEntry] = msgspec.field(default_factory=list)
    """What operators did that concerns it, the oldest first."""
    key: str | None = None
    """Name of the key with which it came over HTTP."""
    outcome: str | None = None
    call: CallEnd | None = None
    bar: Bar | None = None
    """What of its campaign it waits for."""


class GateView(msgspec.Struct, frozen=True):
    """Why something is not sent: ``kind`` parked (by workers) or paused (``by`` an operator).

    ``name`` is the ledger's own, ``selector`` tells what stands behind the gate. ``passing``: it
    opens by itself before long, as soon as the API answers again or the space was read back.
    ``note``: why it was paused. ``until``: when workers end the pause.
    """

    name: str
    selector: Selector
    kind: str
    reason: str
    code: str
    since: datetime
    by: str = ""
    passing: bool = False
    note: str = ""
    until: datetime | None = None


class JournalEntry(msgspec.Struct, frozen=True):
    """What an operator did, and to how many documents, messages or gates; ``detail``: the words."""

    number: int
    at: datetime
    by: str
    command: str
    selector: Selector
    document_id: str | None = None
    documents: int = 0
    messages: int = 0
    opened: int = 0
    note: str = ""
    numbers: int = 0
    list: str = ""
    """The list of numbers that it is about, if it is about one."""

    @property
    def is_about_keys(self) -> bool:
        """Whether it concerns a key of the HTTP intake, or an endpoint, and no documents."""
        return self.command.startswith(("keys ", "webhooks "))


class LaneView(NamedTuple):
    """A lane with unsettled documents; ``gate`` is what keeps it from sending, if anything does, or
    ``bar`` what its campaign does. ``zones``: its class of zones.
    """

    lane: str
    scope: Scope
    pilot: str
    waiting: int
    unsettled: int
    gate: GateView | None
    zones: str = ""
    bar: Bar | None = None

    @property
    def state(self) -> str:
        """open, paused, parked, or closed by its campaign."""
        return self.gate.kind if self.gate else "closed" if self.bar else "open"


class DeadView(msgspec.Struct, frozen=True):
    """A document that cannot be sent, and why."""

    document_id: str
    scope: Scope
    lane: str
    reason: str
    at: datetime


class DoubtView(msgspec.Struct, frozen=True):
    """A document in doubt: since when and why, and how its proof stands.

    ``held``: why no look at the API can prove it, or "". ``answered``: the API itself answered.
    ``found``: whether the last look found something that may be its, None before the first;
    ``changed_at``: since when that is so. ``next_look_at``: None while its space is being read.
    ``unreadable_since``: since when its space could not be read back, if it cannot.
    """

    document_id: str
    scope: Scope
    lane: str
    attempt: int
    reason: str
    since: datetime
    held: str
    answered: bool
    found: bool | None
    changed_at: datetime
    next_look_at: datetime | None
    unreadable_since: datetime | None


class Reason(msgspec.Struct, frozen=True):
    """Why documents are in a state, dead or in_doubt, and how many; of the last batches only."""

    state: str
    reason: str
    documents: int


class LedgerSummary(msgspec.Struct, frozen=True):
    """How the whole installation stands. ``documents`` holds the states and, beside them,
    accepted, duplicate and invalid; ``spooled`` are documents that no worker has accepted yet,
    ``unreadable`` messages that none could read and that are kept whole. ``outcomes`` say what
    became of created documents' calls: their sum is ``documents["created"]``.
    """

    documents: dict[str, int]
    submissions: dict[str, int]
    runs: int
    lanes: dict[str, int]
    gates: list[GateView] = msgspec.field(default_factory=list)
    held: list[HeldLanes] = msgspec.field(default_factory=list)
    """Lanes that wait because of what was asked for by campaign."""
    oldest_waiting_seconds: float | None = None
    spooled: int = 0
    unreadable: int = 0
    journal: list[JournalEntry] = msgspec.field(default_factory=list)
    """What operators did last, the newest first."""
    outcomes: dict[str, int] = msgspec.field(default_factory=dict)
    workers: set[str] = msgspec.field(default_factory=set)
    """The names of the worker processes that live."""
    writes_refused: bool = False
    """Redis refuses every write, the heartbeats of workers included."""
    waiting_accounts: set[str] = msgspec.field(default_factory=set)
    """The accounts for which documents wait."""


class RefusalView(msgspec.Struct, frozen=True):
    """A document that was refused when its message was read, and why.

    ``place`` in its request, None where the request itself was at fault. ``document`` is the
    beginning of its raw JSON: personal data.
    """

    at: datetime
    account: str
    message: str
    place: int | None
    document_id: str | None
    field: str
    reason: str
    document: str


class UnreadableView(msgspec.Struct, frozen=True):
    """A message that no worker could read.

    ``message`` is the id that its sender was told, ``kept_as`` the one that it has in the stream
    of those that are kept.
    """

    at: datetime
    message: str
    kept_as: str
    reason: str
    bytes: int


OUTCOME_LETTERS = {
    "o": "open",
    "r": "reached",
    "n": "not_reached",
    "f": "failed",
    "e": "ended",
    "l": "lost_sight",
}
"""The letters of created documents in `y`, and the outcomes they stand for."""

OUTCOMES = tuple(OUTCOME_LETTERS.values())
"""What became of the calls of created documents; of each of these there is exactly one."""

_CALL = struct.Struct(">BBBIII")
"""What `yd` holds of a call: status, end reason, rings, started, ended, seconds."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is kept of a created document's call that ended; times in seconds since 1970.

    ``rings``: how often it was seen to ring, at least. What the API did not say is empty, or 0.
    """

    status: str = ""
    end_reason: str = ""
    rings: int = 0
    started: int = 0
    ended: int = 0
    duration: int = 0


def unpack_call(packed: bytes, place: int, words: Sequence[str]) -> CallRecord | None:
    """Returns the call at a place of those that were packed together; None if there is none."""
    one = packed[place * _CALL.size : (place + 1) * _CALL.size]
    if len(one) < _CALL.size:
        return None
    status, reason, *numbers = _CALL.unpack(one)
    named = dict(enumerate(words, 1))
    return CallRecord(named.get(status, ""), named.get(reason, ""), *numbers)


def add_lost_sight(counted: Mapping[str, int], created: int) -> dict[str, int]:
    """Returns outcomes whose sum is ``created``: what no other one counts is lost sight of."""
    others = {name: counted.get(name, 0) for name in OUTCOMES if name != "lost_sight"}
    return {**others, "lost_sight": created - sum(others.values())}
