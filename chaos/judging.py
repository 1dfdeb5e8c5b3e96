"""The verdict: what the API created against what the ledger says, document by document. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from callspool_worker.proving import matching

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from chaos.contacts import Key
    from chaos.schedule import Plan

STATES = ("waiting", "sending", "in_doubt", "created", "dead", "cancelled", "expired")

UNREADABLE = "its space cannot be read back"

UNMARKED = (
    matching.OVERLAP,
    matching.SEVERAL,
    matching.NAMELESS,
    matching.SIZE,
    matching.DATED,
    matching.FORGOTTEN,
)
"""What holds documents only where the API gives no marks back."""


def reasons_to_hold(plan: Plan) -> tuple[str, ...]:
    """Returns how the reasons begin for which a run may leave documents in doubt.

    docs/guarantees.md has a row for each.
    """
    if not plan.reading_back:
        return (UNREADABLE,)
    return (matching.SHORT, *UNMARKED) if plan.mix.get("marks") else (matching.SHORT,)


class Found(NamedTuple):
    """What the ledger says of a document: its state, its run, and the seconds it took to settle."""

    state: str
    run_id: str | None = None
    seconds: float | None = None
    reason: str | None = None
    outcome: str | None = None


@dataclass(slots=True)
class Verdict:
    """Every violation by its name, with the documents that suffered it; and what is no violation.

    ``lost``: accepted, and neither created nor on record as anything else. ``twice``: created more
    often than asked for. ``wrong``: the ledger says what is not true. ``buried``: dead without a
    fault of their own. ``open``: still waiting or being sent at the end.
    """

    lost: list[Key] = field(default_factory=list)
    twice: list[Key] = field(default_factory=list)
    wrong: list[Key] = field(default_factory=list)
    buried: list[Key] = field(default_factory=list)
    open: list[Key] = field(default_factory=list)
    in_doubt: dict[Key, str] = field(default_factory=dict)
    """With the reason that `show` gives."""

    in_doubt_but_created: int = 0
    states: Counter[str] = field(default_factory=Counter)
    strangers: list[str] = field(default_factory=list)
    """Ids that the API created and nobody asked for."""

    def violations(self, may_hold: tuple[str, ...] = ()) -> dict[str, list[Key]]:
        """What must not be, by name; a doubt whose reason begins with one of ``may_hold`` may."""
        found = {
            "lost": self.lost,
            "called twice": self.twice,
            "wrongly recorded": self.wrong,
            "wrongly dead": self.buried,
            "not settled": self.open,
            "in doubt": [key for key, why in self.in_doubt.items() if not why.startswith(may_hold)],
        }
        return {name: keys for name, keys in found.items() if keys}


def creations(log: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """From the API's log: the runs in which each `document_id` was created."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in log:
        for document_id in line.get("created") or ():
            found[document_id].append(str(line.get("run_id")))
    return dict(found)


def judge(
    asked: Mapping[Key, Found | None],
    created: Mapping[str, list[str]],
    bad: Collection[Key] = (),
    unacknowledged: Collection[Key] = (),
) -> Verdict:
    """Compares. ``asked``: every document that was enqueued, and what the ledger says of it;
    ``created``: `creations`; ``bad``: those that the API refuses; ``unacknowledged``: those that
    the ledger need not know, because `enqueue` never returned.
    """
    verdict = Verdict()
    same_id: dict[str, list[Key]] = defaultdict(list)
    for key in asked:
        same_id[key.document_id].append(key)
    for document_id, keys in same_id.items():
        _judge_one_id(verdict, {key: asked[key] for key in keys}, created.get(document_id, []))
    verdict.lost = [key for key in verdict.lost if key not in unacknowledged]
    verdict.strangers = sorted(set(created) - set(same_id))
    verdict.buried = [
        key for key, found in asked.items() if found and found.state == "dead" and key not in bad
    ]
    return verdict


def _judge_one_id(verdict: Verdict, found: Mapping[Key, Found | None], created: list[str]) -> None:
    """The documents of one id, in all scopes: the log does not tell the scope, the run does."""
    unclaimed = Counter(created)
    claims = sum(_state(status) == "created" for status in found.values())
    unproven: list[Key] = []
    for key, status in found.items():
        verdict.states[status.state if status else "unknown"] += 1
        if status is None or status.state != "created":
            unproven.append(key)
        elif status.run_id is not None and unclaimed[status.run_id] > 0:
            unclaimed[status.run_id] -= 1
        else:
            verdict.wrong.append(key)
            if len(created) < claims:
                verdict.lost.append(key)
    _judge_unproven(verdict, found, unproven, unclaimed.total())


def _judge_unproven(
    verdict: Verdict, found: Mapping[Key, Found | None], unproven: list[Key], left: int
) -> None:
    """Those that the ledger does not call created, with ``left`` creations that may be theirs."""
    # A doubt explains a creation; anything else would be a wrong record.
    for key in sorted(unproven, key=lambda each: _state(found[each]) != "in_doubt"):
        state = _state(found[key])
        was_created = left > 0
        left -= was_created
        if state == "in_doubt":
            verdict.in_doubt[key] = getattr(found[key], "reason", None) or ""
            verdict.in_doubt_but_created += was_created
        elif was_created:
            verdict.wrong.append(key)
        elif state == "unknown":
            verdict.lost.append(key)
        if state in {"waiting", "sending"}:
            verdict.open.append(key)
    if left > 0:
        verdict.twice.append(next(iter(found)))


def check_sums(
    verdict: Verdict, counted: Mapping[str, int], spooled: int, unreadable: int
) -> list[str]:
    """What does not add up; ``counted`` is the ledger's own summary of documents."""
    wrong: list[str] = []
    total = sum(counted[state] for state in STATES)
    if counted["accepted"] != total:
        wrong.append(f"accepted is {counted['accepted']}, the states' sum is {total}")
    for state in STATES:
        # The identity of a dead document may be accepted anew: then several died.
        differs = counted[state] != verdict.states[state]
        if differs and not (state == "dead" and counted[state] > verdict.states[state]):
            seen = verdict.states[state]
            wrong.append(f"{counted[state]} are counted as {state}, {seen} documents are")
    if spooled or unreadable:
        wrong.append(f"{spooled} documents are still spooled, {unreadable} messages unreadable")
    if counted["invalid"]:
        wrong.append(f"{counted['invalid']} documents were refused as invalid")
    if verdict.strangers:
        wrong.append(f"{len(verdict.strangers)} ids were created that nobody asked for")
    return wrong


def _state(found: Found | None) -> str:
    return found.state if found else "unknown"
