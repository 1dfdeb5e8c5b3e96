"""Which of the files' documents the ledger knows already, and since when."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import redis

from callspool.errors import QueueUnavailable
from callspool.request.call_request import CheckedEnvelope
from callspool.request.identity import NO_NUMBER, digester
from callspool_ledger.errors import answering
from callspool_ledger.guard import GLOBAL, Guard
from callspool_ledger.guard.guard import NO_KEY
from callspool_ledger.reads.entries import FREE
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.lookup import read_batches, read_places
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.selectors import whole_lane
from callspool_ledger.writes import Ledger, Limits
from callspool_operators.lists import Row
from callspool_operators.terminal.wording import CONFLICT_REMEDY, format_count, format_counts, local

if TYPE_CHECKING:
    from callspool_ledger.reads.views import GateView

SLICE = 2000
"""Documents that are looked up together."""

PATIENCE = 15.0
"""Seconds spent on looking up; the documents behind that are not looked up any more."""

SHOWN_LANES = 3

RELEASED = "released"
"""Cancelled, and accepted anew: its number was on a list, or ``--again`` was given."""

ANEW = ("dead", RELEASED, "expired")
"""States of documents that are accepted anew when they are sent again."""


@dataclass(slots=True)
class KnownAlready:
    """What the ledger says about documents that are about to be sent.

    ``asked`` of ``documents`` were looked up; ``since``: when the first of the known ones was
    accepted, ``handed_since``: of those that do not wait any more. ``conflicts``: those whose ids
    are known with other numbers. ``elsewhere``: those that wait with another pilot, context or
    schedule, in ``lanes``, ``parked`` of them behind a closed gate. ``spooled``: documents that no
    worker has accepted yet, so that the ledger cannot know them. ``waiting_in_all``: documents that
    wait in the ledger, whether they are among these or not. ``listed``: those that the ledger does
    not know, and whose number is on a list, by the list; ``waiting_listed``: of those that wait.
    """

    documents: int = 0
    asked: int = 0
    states: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    since: datetime | None = None
    handed_since: datetime | None = None
    elsewhere: int = 0
    lanes: set[str] = field(default_factory=set)
    parked: int = 0
    spooled: int = 0
    waiting_in_all: int = 0
    listed: Counter[str] = field(default_factory=Counter)
    waiting_listed: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all documents were looked up."""
        return self.asked == self.documents

    @property
    def new(self) -> int:
        """Documents that were looked up, are not there, and may be called."""
        return self.asked - self.states.total() - self.conflicts - self.listed.total()

    @property
    def known(self) -> int:
        """Documents that are not sent again, whatever becomes of them."""
        return self.states.total() - self.anew

    @property
    def anew(self) -> int:
        return sum(self.states[state] for state in ANEW)

    def lines(self) -> list[str]:
        """Returns the same for people."""
        lines = self._known_lines()
        if self.conflicts:
            lines.append(
                f"  {self.conflicts:,} not called: the ledger knows the id with another number"
                f" (conflict); {CONFLICT_REMEDY}"
            )
        if self.elsewhere:
            lines += self._elsewhere_lines()
        if not self.is_complete:
            lines.append(
                f"  (only the first {self.asked:,} of {self.documents:,} were looked up in time)"
            )
        if self.spooled:
            spooled = format_count(self.spooled, "document is", "documents are")
            lines.append(f"  {spooled} in the queue that no worker has accepted yet")
        return lines

    def _known_lines(self) -> list[str]:
        if not self.asked:
            return []
        waiting = self.states["waiting"]
        apart = (*ANEW, "waiting", "cancelled")
        rest = {state: n for state, n in self.states.items() if state not in apart}
        lines = []
        if handed := sum(rest.values()):
            since = f" (the first {local(self.handed_since)})" if self.handed_since else ""
            lines.append(f"  {handed:,} handed over before{since}: {format_counts(rest)};")
            lines.append("    they are not called again; another --campaign calls them again")
        if cancelled := self.states["cancelled"]:
            lines.append(
                f"  {cancelled:,} cancelled by an operator, which is final for this campaign;"
                " --again calls them"
            )
        if waiting:
            but = f", but {self.waiting_listed:,} on a list" if self.waiting_listed else ""
            lines.append(
                f"  {waiting:,} waiting from an earlier run, sent when they may be called{but}"
            )
        if self.anew:
            lines.append(f"  {self.anew:,} were dead, expired or released: accepted anew")
        if not (self.new or lines or self.listed):
            return []
        kept = [f"{number:,} on {_list_words(name)}" for name, number in self.listed.items()]
        return [*lines, f"  {', '.join([f'{self.new:,} new', *kept])}"]

    def _elsewhere_lines(self) -> list[str]:
        gate = f" ({self.parked:,} behind a closed gate)" if self.parked else ""
        verb = "waits" if self.elsewhere == 1 else "wait"
        lanes = ", ".join(sorted(self.lanes)[:SHOWN_LANES])
        return [
            f"  {self.elsewhere:,} {verb} with another pilot, context or schedule{gate}:",
            f"    cancel what waits there (callspool cancel --lane, of {lanes}), and send",
            "    with --again",
        ]

    def to_json(self) -> dict[str, object]:
        return {
            "looked_up": self.asked,
            "complete": self.is_complete,
            "new": self.new,
            "conflict": self.conflicts,
            "suppressed": self.listed.total(),
            "suppressed_waiting": self.waiting_listed,
            "states": dict(self.states),
            "since": None if self.since is None else self.since.isoformat(),
            "waiting_elsewhere": self.elsewhere,
            "lanes_elsewhere": sorted(self.lanes),
            "waiting_elsewhere_behind_a_gate": self.parked,
            "not_accepted_yet": self.spooled,
        }


class KnownLookup:
    """Looks up documents as they are read, many at a time, for so long as there is patience.

    ``again``: what an operator cancelled is called all the same. ``on_listed`` is given each
    document that would be called, were its number not on a list.
    """

    def __init__(
        self,
        reader: LedgerReader,
        envelope: CheckedEnvelope,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        again: bool = False,
        on_listed: Callable[[bytes], object] | None = None,
    ) -> None:
        self._on_listed: Callable[[bytes], object] = on_listed or (lambda _: None)
        self._released = "kK" if again else "K"
        self._reader = reader.of_space(envelope.account, envelope.space_token)
        self._lane = envelope.lane_id
        self._digest = digester(envelope.scope)
        self._left = patience
        self._clock = clock
        self._digests: list[bytes] = []
        self._numbers: list[bytes] = []
        self._documents: list[bytes] = []
        self._guard: Guard | None = None
        self._campaign = (envelope.account, envelope.campaign)
        self._answer_cells = KnownAlready()
        self._scope = envelope.scope
        self._gates: list[GateView] = []
        self._ask(self._look_at_gates)

    def add(self, document_id: str, number: bytes = NO_NUMBER, document: bytes = b"{}") -> None:
        """Takes a document's id, the digest of its number, and the document itself."""
        self._answer_cells.documents += 1
        if self._left > 0:
            self._digests.append(self._digest(document_id))
            self._numbers.append(number)
            self._documents.append(document)
            if len(self._digests) == SLICE:
                self._ask(self._look)

    def collect(self) -> KnownAlready:
        """Returns what is known of all documents."""
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
            self._digests, self._numbers, self._documents = [], [], []
        self._left -= self._clock() - started

    def _look_at_gates(self) -> None:
        summary = self._reader.ask(read_summary())
        self._answer_cells.spooled = summary.spooled
        self._answer_cells.waiting_in_all = summary.documents["waiting"]
        self._gates = self._reader.ask(read_gates())
        self._find_lists()

    def _look(self) -> None:
        found = self._answer_cells
        places = self._reader.ask(read_places(self._digests))
        held = sorted({place.batch for place in places if place})
        batches = self._reader.ask(read_batches(held))
        first = handed = 0
        unknown: list[bytes] = []
        waiting: list[bytes] = []
        rows = zip(places, self._numbers, self._documents, strict=True)
        for place, number, document in rows:
            batch = batches.get(place.batch) if place else None
            if place is None or batch is None:
                unknown.append(document)
                continue
            if place.letter not in FREE and batch.has_other_number(place.place, number):
                found.conflicts += 1
                continue
            found.states[RELEASED if place.letter in self._released else place.state] += 1
            accepted = batch.accepted_ms(place.place)
            first = min(first or accepted, accepted)
            if place.letter != "w" and place.letter not in FREE:
                handed = min(handed or accepted, accepted)
            if place.letter == "w":
                waiting.append(document)
            if place.letter == "w" and whole_lane(batch.lane) != self._lane:
                found.elsewhere += 1
                found.lanes.add(batch.lane)
                found.parked += any(
                    gate.selector.covers(self._scope, batch.lane) for gate in self._gates
                )
        found.since = _earlier(found.since, first)
        found.handed_since = _earlier(found.handed_since, handed)
        found.listed.update(self._screen(unknown))
        found.waiting_listed += self._screen(waiting).total()
        found.asked += len(self._digests)
        self._digests, self._numbers, self._documents = [], [], []

    def _find_lists(self) -> None:
        """Has the lists asked where there is one; nothing is written."""
        guard = Guard(Ledger(self._reader.first_client, Limits()))
        with answering():
            if guard.read_key() is not NO_KEY:
                self._guard = guard

    def _screen(self, documents: list[bytes]) -> Counter[str]:
        """How many of these documents are on which list."""
        found: Counter[str] = Counter()
        if self._guard is not None and documents:
            with answering():
                hits = self._guard.screen(*self._campaign, documents).hits
            for hit in hits:
                found[hit.source.list] += len(hit.places)
                for place in hit.places:
                    self._on_listed(documents[place])
        return found


class Newcomers:
    """Lets documents through that the ledger does not know yet, ``most`` of them (``--new``).

    ``known``: documents that were passed over. Raises `QueueUnavailable`.
    """

    def __init__(self, reader: LedgerReader, envelope: CheckedEnvelope, most: int) -> None:
        self.left = most
        self.known = 0
        self._reader = reader.of_space(envelope.account, envelope.space_token)
        self._digest = digester(envelope.scope)

    def choose(self, rows: Sequence[Row]) -> tuple[list[Row], Sequence[Row]]:
        """Returns the new ones among these rows, and the rows behind the last that was wanted."""
        chosen: list[Row] = []
        digests = [self._digest(row.document_id) for row in rows]
        for place, found in enumerate(self._reader.ask(read_places(digests))):
            if not self.left:
                return chosen, rows[place:]
            if found is None:
                self.left -= 1
                chosen.append(rows[place])
            else:
                self.known += 1
        return chosen, ()


def _list_words(name: str) -> str:
    return f"the list {name}" if name != GLOBAL else "the global list"


def _earlier(known: datetime | None, unix_ms: int) -> datetime | None:
    if not unix_ms:
        return known
    found = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return min(known or found, found)
