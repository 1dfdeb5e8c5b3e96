"""Which of the files' documents the ledger knows already, and since when."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import redis

from callspool.errors import QueueUnavailable
from callspool.request.call_request import CheckedEnvelope
from callspool.request.identity import NO_NUMBER, digester
from callspool_ledger.reads.entries import FREE
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.lookup import read_batches, read_places
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_operators.terminal.wording import format_count, format_counts, local

if TYPE_CHECKING:
    from callspool_ledger.reads.views import GateView

SLICE = 2000
"""Documents that are looked up together."""

PATIENCE = 15.0
"""Seconds spent on looking up; the documents behind that are not looked up any more."""

SHOWN_LANES = 3

ANEW = ("dead", "cancelled", "expired")
"""States of documents that are accepted anew when they are sent again."""


@dataclass(slots=True)
class KnownAlready:
    """What the ledger says about documents that are about to be sent.

    ``asked`` of ``documents`` were looked up; ``since``: when the first of the known ones was
    accepted. ``conflicts``: those whose ids are known with other numbers. ``elsewhere``: those that
    wait with another pilot, context or schedule, in ``lanes``, ``parked`` of them behind a closed
    gate. ``spooled``: documents that no worker has accepted yet, so that the ledger cannot know
    them.
    """

    documents: int = 0
    asked: int = 0
    states: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    since: datetime | None = None
    elsewhere: int = 0
    lanes: set[str] = field(default_factory=set)
    parked: int = 0
    spooled: int = 0

    @property
    def known(self) -> int:
        """Documents that are not sent again, whatever becomes of them."""
        return self.states.total() - self.anew

    @property
    def anew(self) -> int:
        return sum(self.states[state] for state in ANEW)

    def lines(self) -> list[str]:
        """The same for people."""
        lines = self._known_lines()
        if self.anew:
            lines.append(f"  {self.anew:,} were dead, cancelled or expired: accepted anew")
        if self.conflicts:
            lines.append(
                f"  {self.conflicts:,} not called: the ledger knows the id with another number"
                " (conflict); another --campaign, or --id-prefix, calls them"
            )
        if self.elsewhere:
            lines += self._elsewhere_lines()
        if self.asked < self.documents:
            lines.append(
                f"  (only the first {self.asked:,} of {self.documents:,} were looked up in time)"
            )
        if self.spooled:
            spooled = format_count(self.spooled, "document is", "documents are")
            lines.append(f"  {spooled} in the queue that no worker has accepted yet")
        return lines

    def _known_lines(self) -> list[str]:
        if not self.known or self.since is None:
            is_new = self.asked and not self.anew and not self.conflicts
            return ["None of them is in the ledger yet."] if is_new else []
        states = {state: n for state, n in self.states.items() if state not in ANEW}
        first = f"{self.known:,} of {format_count(self.asked, 'document')} known"
        return [
            f"{first} since {local(self.since)}: {format_counts(states)}",
            "  they are duplicates and not called again; another --campaign calls them again",
        ]

    def _elsewhere_lines(self) -> list[str]:
        gate = f" ({self.parked:,} behind a closed gate)" if self.parked else ""
        verb = "waits" if self.elsewhere == 1 else "wait"
        lanes = ", ".join(sorted(self.lanes)[:SHOWN_LANES])
        return [
            f"  {self.elsewhere:,} {verb} with another pilot, context or schedule{gate}:",
            f"    cancel what waits there (callspool cancel --lane, of {lanes}) and send again",
        ]

    def to_json(self) -> dict[str, object]:
        return {
            "looked_up": self.asked,
            "complete": self.asked == self.documents,
            "conflict": self.conflicts,
            "states": dict(self.states),
            "since": None if self.since is None else self.since.isoformat(),
            "waiting_elsewhere": self.elsewhere,
            "lanes_elsewhere": sorted(self.lanes),
            "waiting_elsewhere_behind_a_gate": self.parked,
            "not_accepted_yet": self.spooled,
        }


class KnownLookup:
    """Looks up documents as they are read, many at a time, for so long as there is patience."""

    def __init__(
        self,
        reader: LedgerReader,
        envelope: CheckedEnvelope,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader.of_space(envelope.account, envelope.space_token)
        self._lane = envelope.lane_id
        self._digest = digester(envelope.scope)
        self._left = patience
        self._clock = clock
        self._digests: list[bytes] = []
        self._numbers: list[bytes] = []
        self._answer_cells = KnownAlready()
        self._scope = envelope.scope
        self._gates: list[GateView] = []
        self._ask(self._look_at_gates)

    def add(self, document_id: str, number: bytes = NO_NUMBER) -> None:
        """Takes a document, and the digest of its number."""
        self._answer_cells.documents += 1
        if self._left > 0:
            self._digests.append(self._digest(document_id))
            self._numbers.append(number)
            if len(self._digests) == SLICE:
                self._ask(self._look)

    def collect(self) -> KnownAlready:
        """What is known of all documents."""
        if self._digests:
            self._ask(self._look)
        return self._answer_cells

    def _ask(self, question: Callable[[], None]) -> None:
        """Asks the ledger; where it does not answer, nothing more is asked."""
        started = self._clock()
        try:
            question()
        except (QueueUnavailable, redis.RedisError):
            self._left = 0
            self._digests, self._numbers = [], []
        self._left -= self._clock() - started

    def _look_at_gates(self) -> None:
        self._answer_cells.spooled = self._reader.ask(read_summary()).spooled
        self._gates = self._reader.ask(read_gates())

    def _look(self) -> None:
        found = self._answer_cells
        places = self._reader.ask(read_places(self._digests))
        held = sorted({place.batch for place in places if place})
        batches = self._reader.ask(read_batches(held))
        first = 0
        for place, number in zip(places, self._numbers, strict=True):
            batch = batches.get(place.batch) if place else None
            if place is None or batch is None:
                continue
            if place.letter not in FREE and batch.has_other_number(place.place, number):
                found.conflicts += 1
                continue
            found.states[place.state] += 1
            accepted = batch.accepted_ms(place.place)
            first = min(first or accepted, accepted)
            if place.letter == "w" and batch.lane != self._lane:
                found.elsewhere += 1
                found.lanes.add(batch.lane)
                found.parked += any(
                    gate.selector.covers(self._scope, batch.lane) for gate in self._gates
                )
        if first:
            since = datetime.fromtimestamp(first / 1000, UTC)
            found.since = min(found.since or since, since)
        found.asked += len(self._digests)
        self._digests, self._numbers = [], []
