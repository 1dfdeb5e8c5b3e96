"""A ledger in plain Python: what each step should do to documents, and nothing about how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from callspool.request.identity import NO_NUMBER, Scope
from callspool_ledger.selectors import Selector
from callspool_ledger.writes import SEPARATOR, Group, LaneKey, Taken
from tests.ledger.steps import LANE_IDS

STATES = {
    "w": "waiting",
    "s": "sending",
    "d": "in_doubt",
    "c": "created",
    "x": "dead",
    "X": "dead",
    "k": "cancelled",
    "K": "cancelled",
    "e": "expired",
}
UNSETTLED = frozenset("wsdx")
REPLACEABLE = frozenset("xXKe")
NOWHERE = (0, 0)


@dataclass(eq=False, slots=True)
class Document:
    """One accepted document; another one with its identity is another instance."""

    lane: LaneKey
    digest: bytes
    raw: bytes
    expires_ms: int
    letter: str
    number: bytes = NO_NUMBER
    place: tuple[int, int] = NOWHERE
    """Batch and place where it was seen last."""
    proved: bool = False
    """A late answer proved it created while another attempt sends it."""
    proofs: dict[int, str] = field(default_factory=dict)
    """Attempts that are known to have created it, with the task id."""
    forgotten: bool = False
    outcome: str = ""
    """What became of its call, once it is created."""


@dataclass(eq=False, slots=True)
class Attempt:
    """One take, and what is known of it: sending, doubt or over."""

    taken: Taken
    documents: list[Document]
    state: str = "sending"
    proven: set[int] = field(default_factory=set)
    """The documents (counted from 0) that are known to be created by it."""
    is_named: bool = False
    """Whether the ledger knows that its run was named for it."""

    @property
    def number(self) -> int:
        return self.taken.attempt

    @property
    def is_proven(self) -> bool:
        return len(self.proven) == len(self.documents)

    @property
    def run_id(self) -> str:
        return f"R{self.number}"

    @property
    def task_ids(self) -> list[str]:
        """Of the API's usual shape, or of another one."""
        shape = "T{:028x}{:04x}" if self.number % 3 else "task-{}-{}"
        return [shape.format(self.number, at) for at in range(len(self.documents))]


class Model:
    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.known: dict[bytes, Document] = {}
        self.attempts: list[Attempt] = []
        self.events: Counter[tuple[str, str]] = Counter()
        self.mixed: set[str] = set()
        """Accounts whose answers were mixed up lately."""
        self._by_raw: dict[bytes, Document] = {}

    def accept(self, groups: Iterable[Group]) -> tuple[int, int, int]:
        """How many documents are new, were known, and were known with another number."""
        accepted = duplicate = conflict = 0
        for group in groups:
            numbers = group.numbers or [NO_NUMBER] * len(group.digests)
            for digest, raw, number in zip(group.digests, group.documents, numbers, strict=True):
                old = self.known.get(digest)
                if old is not None and old.letter not in REPLACEABLE:
                    is_other = NO_NUMBER not in (number, old.number) and number != old.number
                    conflict += is_other
                    duplicate += not is_other
                    name = "conflict" if is_other else "duplicate"
                    self.events[group.lane.account, name] += 1
                    continue
                if old is not None and old.letter == "x":
                    old.letter = "X"
                letter = "K" if group.suppressed else "x" if group.reason else "w"
                new = Document(group.lane, digest, raw, group.expires_ms, letter, number)
                self.documents.append(new)
                self.known[digest] = self._by_raw[raw] = new
                accepted += 1
        return accepted, duplicate, conflict

    def take(self, taken: Taken) -> None:
        """Nothing is handed out that does not wait, or is of another lane."""
        documents = [self._by_raw[raw] for raw in taken.documents.split(SEPARATOR)]
        assert len(documents) == taken.count == len(set(documents))
        for document in documents:
            assert document.letter == "w"
            assert document.lane == taken.lane
            assert document.expires_ms == 0 or document.expires_ms > taken.at_ms
            document.letter = "s"
        assert all(taken.attempt > attempt.number for attempt in self.attempts)
        self.attempts.append(Attempt(taken, documents))

    def held_by(self, taker: str) -> Attempt | None:
        """What a taker has not reported on."""
        held = [one for one in self.attempts if one.taken.taker == taker and one.state == "sending"]
        return held[0] if held else None

    def end(self, attempt: Attempt, letter: str) -> int:
        """The documents of an attempt that is not over leave it; those proved are created."""
        if attempt.state != "sending":
            return -1
        attempt.state = "doubt" if letter == "d" else "over"
        left = 0
        for document in attempt.documents:
            assert document.letter == "s"
            document.letter = "c" if document.proved else letter
            left += not document.proved
            document.proved = False
        return left

    def end_doubt(self, attempt: Attempt, letter: str) -> int:
        """Documents in doubt wait again, or are dead."""
        doubtful = [document for document in attempt.documents if document.letter == "d"]
        if attempt.state != "doubt" or not doubtful:
            return -1
        attempt.state = "over"
        for document in doubtful:
            document.letter = letter
        return len(doubtful)

    def prove(self, attempt: Attempt, found: Iterable[int] | None = None) -> tuple[int, int]:
        """The API created what the attempt sent: how many documents are created now, and twice.

        With ``found``, it was read back, and only these documents were there.
        """
        new = set(range(len(attempt.documents)) if found is None else found) - attempt.proven
        if not new:
            return 0, 0
        self.events[attempt.taken.lane.account, "runs"] += not attempt.proven
        attempt.proven |= new
        is_current = attempt.state == "sending" and found is None
        if is_current:
            attempt.state = "over"
        now = twice = 0
        for at in sorted(new):
            document, task_id = attempt.documents[at], attempt.task_ids[at]
            if document.forgotten:
                continue
            document.proofs[attempt.number] = task_id
            twice += document.letter == "c" or document.proved
            if document.letter == "s" and not is_current:
                document.proved = True
            elif document.letter != "c":
                document.letter, document.proved = "c", False
                now += 1
        self.events[attempt.taken.lane.account, "created_twice"] += twice
        return now, twice

    def distrust(self, attempt: Attempt) -> int:
        """The answer was another request's: what it created and no look has seen is in doubt."""
        doubtful = {
            at
            for at, document in enumerate(attempt.documents)
            if document.letter == "c" and document.outcome in {"", "open"}
        }
        if doubtful:
            attempt.state, attempt.is_named = "doubt", False
            attempt.proven -= doubtful
        for document in map(attempt.documents.__getitem__, doubtful):
            del document.proofs[attempt.number]
            document.letter, document.outcome = "d", ""
        return len(doubtful)

    def change(self, selector: Selector, old: str, new: str) -> int:
        """All documents in a state that a selector means change to another one."""
        meant = [
            document
            for document in self.documents
            if document.letter == old
            and selector.covers(Scope(*document.lane[:3]), LANE_IDS[document.lane])
        ]
        for document in meant:
            document.letter = new
        return len(meant)

    def forget(self, batches: Set[int], identities: Set[bytes]) -> None:
        """Learns what a ledger has forgotten; of what is not settled it may forget nothing."""
        for document in self.documents:
            if document.letter not in UNSETTLED:
                document.forgotten = document.forgotten or document.place[0] not in batches
                is_known = self.known.get(document.digest) is document
                if is_known and document.digest not in identities:
                    del self.known[document.digest]

    def find(self, kept: Mapping[bytes, tuple[int, int]]) -> None:
        """Learns where the documents are by their raw form, which unsettled ones still have.

        What was settled in the very step that accepted it is nowhere to be found: it was dead, and
        accepted anew.
        """
        for document in self.documents:
            document.place = kept.get(document.raw, document.place)
            document.forgotten = document.forgotten or document.place == NOWHERE

    def outcomes(self, account: str) -> Counter[str]:
        """Created documents by outcome; of open calls that are forgotten sight is lost."""
        created = [one for one in self.documents if one.letter == "c"]
        for document in created:
            if document.forgotten and document.outcome in {"", "open"}:
                document.outcome = "lost_sight"
        return Counter(one.outcome for one in created if one.lane.account == account)

    def states(self, account: str) -> Counter[str]:
        """Documents by the name of their state."""
        return Counter(
            STATES[document.letter]
            for document in self.documents
            if document.lane.account == account
        )
