"""The ledger's records of batches, as values, with the task ids that they keep."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from callspool.request.identity import NO_NUMBER, NUMBER_BYTES
from callspool_ledger.reads.reading import name_at, number_at
from callspool_ledger.reads.views import OUTCOME_LETTERS, unpack_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_ledger.reads.views import CallRecord, DocumentState


_HEX = b"\x01"
_LINES = b"\x00"
_BYTES = 16
_CHARACTERS = 1 + 2 * _BYTES


def pack_task_ids(ids: Sequence[str]) -> bytes:
    """Packs the task ids of an attempt's documents, in their order.

    16 bytes each where all are of the API's usual shape, seen as ``T`` and 32 hex digits (S);
    else as they are, a line each.
    """
    packed = _pack_usual("".join(ids)) if {*map(len, ids)} <= {_CHARACTERS} else None
    return _LINES + "\n".join(ids).encode() if packed is None else _HEX + packed


def _pack_usual(joined: str) -> bytes | None:
    """Returns the bytes of ids of the usual length, if they are of the usual shape."""
    try:
        packed = bytes.fromhex(joined.replace("T", ""))
    except ValueError:
        return None
    is_usual = joined == ("T" + packed.hex("T", _BYTES) if packed else "")
    return packed if is_usual else None


def unpack_task_id(packed: bytes, place: int) -> str | None:
    """Returns the id at a place among those that were packed together, or None if there is none."""
    if packed[:1] == _HEX:
        found = packed[1 + place * _BYTES : 1 + (place + 1) * _BYTES]
        return f"T{found.hex()}" if len(found) == _BYTES else None
    lines = packed[1:].decode(errors="replace").split("\n")
    return lines[place] if place < len(lines) and lines[place] else None


STATES: dict[str, DocumentState] = {
    "w": "waiting",
    "s": "sending",
    "d": "in_doubt",
    "h": "in_doubt",
    "c": "created",
    "x": "dead",
    "X": "dead",
    "k": "cancelled",
    "K": "cancelled",
    "e": "expired",
}
"""The letters of documents, and the states they stand for; `h`: in doubt, and not provable now."""

FREE = frozenset("xXKe")
"""Letters of documents whose identity may be accepted anew."""

NOTHING = "nothing"
"""What a look at the API found of an attempt (`seen`) where nothing is there."""

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One attempt of a batch that is over; times in ms of Redis' clock."""

    attempt: int
    taken_ms: int
    ended_ms: int
    documents: int
    outcome: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class OperatorWord:
    """An operator's word that documents of an attempt were created; ``places`` is a mask."""

    attempt: int
    places: str
    run_id: str
    task_id: str
    at_ms: float
    by: str


@dataclass(frozen=True)
class BatchEntry:
    """The record of a batch (`keys`: P:b<B>), read as a whole; it may be asked for each place."""

    fields: dict[str, bytes]

    def _text(self, name: str) -> str:
        return self.fields.get(name, b"").decode(errors="replace")

    def _number(self, name: str) -> int:
        return int(self.fields.get(name) or 0)

    @property
    def lane(self) -> str:
        return self._text("lane")

    @property
    def account(self) -> str:
        return self._text("account")

    @property
    def phase(self) -> str:
        """open, queued, resting, sending, doubt, buried or done."""
        return self._text("phase")

    @cached_property
    def reason(self) -> str:
        """Why the documents are where they are, in the API's words where it said something."""
        return self._text("why")

    @property
    def held(self) -> str:
        """Why documents in doubt cannot be proven now; empty while they can."""
        return self._text("held")

    @property
    def capped(self) -> str:
        """The cap that a resting batch waits for, as it was written; "" for none."""
        return self._text("capped")

    @property
    def tries(self) -> int:
        return self._number("tries")

    @property
    def due_ms(self) -> int:
        """When a resting batch may be taken again."""
        return self._number("due")

    @property
    def attempt(self) -> int:
        """The last attempt."""
        return self._number("attempt")

    @property
    def taken_ms(self) -> int:
        """When the last attempt began."""
        return self._number("taken")

    @property
    def doubted_ms(self) -> int:
        """Since when its documents are in doubt; 0 if they are not."""
        return self._number("doubted")

    @property
    def changed_ms(self) -> int:
        """Since when looks at the API find the same of documents in doubt."""
        return self._number("changed")

    @property
    def has_found(self) -> bool | None:
        """Whether the last look found something that may be theirs; None before the first."""
        seen = self._text("seen")
        return seen != NOTHING if seen else None

    @property
    def states(self) -> str:
        """A letter (`STATES`) for each place."""
        return self._text("s")

    @property
    def seal(self) -> str:
        """Made of the identities in the batch."""
        return self._text("seal")

    @property
    def is_marked(self) -> bool:
        """Whether the last attempt's documents carry its mark."""
        return self._text("marked") == "1"

    def quiet_ms(self, *, answered: bool) -> int | None:
        """Returns how long (ms) nothing changes before a document of it counts as missing.

        ``answered``: the API itself answered that attempt. None where the take did not say.
        """
        usual, _, after_an_answer = self._text("quiet").partition(" ")
        told = after_an_answer if answered else usual
        return int(told) if told else None

    @property
    def question(self) -> dict[str, Any]:
        """What a proof of the last attempt has to go by."""
        found: dict[str, Any] = _decode(self.fields.get("proof") or b"{}")
        return found

    @cached_property
    def settled_ms(self) -> int:
        """When its last document was settled; 0 while one is not."""
        return self._number("settled")

    @cached_property
    def history(self) -> list[HistoryLine]:
        """What came of the attempts, oldest first; a late proof adds a line to its own."""
        lines = self._text("h").splitlines()
        return [HistoryLine(*_decode(line)) for line in lines]

    def has_other_number(self, place: int, number: bytes) -> bool:
        """Whether the document at a place has another number; False where that is not known."""
        known = self.fields.get("f", b"")[place * NUMBER_BYTES : (place + 1) * NUMBER_BYTES]
        return bool(known) and number not in (known, NO_NUMBER) and known != NO_NUMBER

    def letter(self, place: int) -> str:
        return self._text("s")[place : place + 1]

    def accepted_ms(self, place: int) -> int:
        opened, run = self._accepted
        return opened + number_at(run, place)

    def expires_ms(self, place: int) -> int:
        """Returns when the document expires (ms), 0 if never; known until the batch is settled."""
        return number_at(self._text("x"), place)

    def key(self, place: int) -> str | None:
        """Returns the name of the key with which the document came over HTTP, if it did."""
        return name_at(self._text("keys"), place) or None

    def proof(self, place: int) -> tuple[str | None, str | None, int] | None:
        """Returns run id, task id and attempt that created the document at a place, if one did.

        The ids are None where an operator confirmed it without them.
        """
        for attempt, name in self._proofs:
            covered = self._text(f"p{name}") or self._text(f"m{attempt}")
            if covered and covered[place : place + 1] != "1":
                continue
            at = covered[:place].count("1") if covered else place
            task_id = unpack_task_id(self.fields[f"t{name}"], at)
            return self._text(f"r{name}"), task_id, attempt
        word = self.word(place)
        return (word.run_id or None, word.task_id or None, word.attempt) if word else None

    def word(self, place: int) -> OperatorWord | None:
        """Returns what an operator said of the document at a place, if one confirmed it."""
        return next((word for word in self._said if word.places[place : place + 1] == "1"), None)

    def outcome(self, place: int) -> str | None:
        """Returns what became of the call of the document at a place; None if it is not created.

        What an earlier release created, without an outcome, is lost sight of.
        """
        if self.letter(place) != "c":
            return None
        return OUTCOME_LETTERS.get(self.outcomes[place : place + 1], "lost_sight")

    def call(self, place: int) -> CallRecord | None:
        """Returns what is kept of the call of the document at a place; None until it ended."""
        if self.outcome(place) in {None, "open"}:
            return None
        return unpack_call(self.fields.get("yd", b""), place, self._text("yw").split("\n"))

    def tasks(self) -> dict[str, dict[str, int]]:
        """Returns the tasks of created documents by run: task id → place; runs without ids too.

        A document that two attempts created has two tasks.
        """
        found: dict[str, dict[str, int]] = {}
        for attempt, name in self._proofs:
            covered = self._text(f"p{name}") or self._text(f"m{attempt}") or "1" * len(self.states)
            packed = self.fields[f"t{name}"]
            tasks = found.setdefault(self._text(f"r{name}"), {})
            places = [place for place, letter in enumerate(covered) if letter == "1"]
            for at, place in enumerate(places):
                task_id = unpack_task_id(packed, at)
                if task_id is not None and self.letter(place) == "c":
                    tasks[task_id] = place
        for word in self._said:
            if word.run_id:
                tasks = found.setdefault(word.run_id, {})
                if word.task_id:
                    tasks[word.task_id] = word.places.index("1")
        return found

    def suppression(self, place: int) -> str:
        """Returns why the document at a place must not be called, if it was cancelled for that."""
        lines = map(_decode, self._text("u").splitlines())
        return next((reason for mask, *_, reason in lines if mask[place : place + 1] == "1"), "")

    def was_sent(self, attempt: int, place: int) -> bool:
        """Returns whether an attempt of this batch held the document at a place."""
        sent = self._sent[attempt] if attempt in self._sent else self._text(f"m{attempt}")
        return not sent or sent[place : place + 1] == "1"

    def created_ms(self, place: int) -> int:
        """Returns when the creation of a document was recorded (ms); 0 if it was not."""
        found = self.proof(place)
        if found is None:
            return 0
        word = self.word(place)
        return self._ended_ms.get(found[2], int(word.at_ms) if word else 0)

    def runs_of(self, attempt: int) -> frozenset[str]:
        """Returns the runs in which documents of an attempt were found to be created."""
        return frozenset(
            self._text(f"r{name}") for number, name in self._proofs if number == attempt
        )

    @cached_property
    def outcomes(self) -> str:
        """A letter (`OUTCOME_LETTERS`) for each place that is created; others are ``-``."""
        return self._text("y")

    @cached_property
    def _said(self) -> list[OperatorWord]:
        return [OperatorWord(*_decode(line)) for line in self._text("said").splitlines()]

    @cached_property
    def _accepted(self) -> tuple[int, str]:
        return self._number("o"), self._text("a")

    @cached_property
    def _sent(self) -> dict[int, str]:
        """For each attempt that is over, which places it held; empty for all of them."""
        return {line.attempt: self._text(f"m{line.attempt}") for line in self.history}

    @cached_property
    def _proofs(self) -> list[tuple[int, str]]:
        """The attempts that created something, each with the name of a proof, in their order."""
        named = (name[1:] for name in self.fields if name.startswith("t"))
        found = ((name.partition(".")[0], name) for name in named)
        return sorted((int(number), name) for number, name in found if number.isdigit())

    @cached_property
    def _ended_ms(self) -> dict[int, int]:
        created = (line for line in self.history if line.outcome == "created")
        return {line.attempt: line.ended_ms for line in created}
