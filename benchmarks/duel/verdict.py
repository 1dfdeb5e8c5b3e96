"""From the API's own log and a contestant's records to what became of everybody. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.duel.roll import Roll


@dataclass(slots=True)
class Truth:
    """What the API did, from the lines of its log, in any number of pieces."""

    created: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    posts: int = 0
    reads: int = 0

    def add(self, lines: Iterable[Mapping[str, Any]]) -> None:
        for line in lines:
            self.created.update(line.get("created", ()))
            if line.get("event") != "request":
                continue
            if line["method"] == "POST":
                self.posts += 1
            else:
                self.reads += 1
            if line.get("fault"):
                self.faults[line["fault"]] += 1


@dataclass(frozen=True, slots=True)
class Records:
    """What a contestant knows of contacts (by `document_id`) when it is done.

    ``open``: still to be sent. ``given_up``: a dead letter, a failed result, a dead document.
    ``in_doubt``: shown to the operator as perhaps called.
    """

    open: frozenset[str] = frozenset()
    given_up: frozenset[str] = frozenset()
    in_doubt: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """``contacts`` = called_once + called_twice + the five fates of those never called.

    Those are lost (nobody knows of them any more), uncalled_in_doubt, given_up, refused (the API
    was right to) and open. ``twice_unasked`` of called_twice were enqueued only once; ``in_doubt``
    counts all that are shown as in doubt, called or not.
    """

    contacts: int
    called_once: int
    called_twice: int
    twice_unasked: int
    lost: int
    in_doubt: int
    uncalled_in_doubt: int
    given_up: int
    refused: int
    open: int
    posts: int
    reads: int
    faults: dict[str, int]


def judge(roll: Roll, truth: Truth, records: Records) -> Verdict:
    """Counts each contact of the roll once, by what the API's log says of it first."""
    fates: Counter[str] = Counter()
    unasked = 0
    for document in roll.documents:
        identity = document["document_id"]
        fate = _fate(identity, truth.created[identity], roll, records)
        fates[fate] += 1
        unasked += fate == "called_twice" and identity not in roll.repeated_ids
    return Verdict(
        contacts=len(roll.documents),
        called_once=fates["called_once"],
        called_twice=fates["called_twice"],
        twice_unasked=unasked,
        lost=fates["lost"],
        in_doubt=len(records.in_doubt),
        uncalled_in_doubt=fates["in_doubt"],
        given_up=fates["given_up"],
        refused=fates["refused"],
        open=fates["open"],
        posts=truth.posts,
        reads=truth.reads,
        faults=dict(sorted(truth.faults.items())),
    )


def _fate(identity: str, times_created: int, roll: Roll, records: Records) -> str:
    if times_created:
        return "called_once" if times_created == 1 else "called_twice"
    if identity in records.in_doubt:
        return "in_doubt"
    if identity in records.open:
        return "open"
    if identity in records.given_up:
        return "refused" if identity in roll.refused else "given_up"
    return "lost"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one contestant's list, in how many seconds, and what it met meanwhile."""

    name: str
    note: str
    verdict: Verdict
    seconds: float
    kills: int
    finished: bool
