"""What a space shows after a refusal: whether some of the batch may exist all the same. Pure.

The API refuses before it creates anything, as far as is known. Where it does not, sending the batch
again, or its halves, would call people twice; one read of the space's newest runs tells. After a
refusal of the token or a throttle it is read when the account goes on, for all batches together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from callspool_worker.decisions.answers import Answered, code_of, is_id
from callspool_worker.decisions.decide import Bury, Decision, Isolate, Park, Retry, Throttle

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from callspool_worker.decisions.answers import Answer

RUNS_READ, MOST_RUNS_READ = 100, 2000
"""Runs of the page that is read: more where more are known to be so new, in one page."""

MOST_SUSPECTS = 8
"""Runs whose tasks are read, at most; where more may be ours, the space is proven in full."""

SLACK, CLOSE_SLACK = 180.0, 5.0
"""Seconds by which the API's clocks may differ from each other; and from what was made lately."""

ENOUGH = 20
"""Runs of ours whose times tell how far the API's clocks are ahead of ours."""

COMPARED = 1000
"""The newest of them, which are compared."""

MAY_EXIST = "refused, and some of it may have been created"

_GREGORIAN = 12_219_292_800.0
_STEPS_A_SECOND = 1e7
_CANNOT = frozenset({403, 404})
_BEFORE_ANYTHING = frozenset({401, 429})


class Refused(NamedTuple):
    """A refusal of the token, or a throttle, as the ledger keeps it with the batch until a look.

    ``since``: when the attempt began, by the server's clock. The other times are Redis'.
    ``is_marked``: whether its documents carry its mark.
    """

    attempt: int
    taken_ms: int
    refused_ms: int
    is_marked: bool
    documents: int
    since: float | None
    code: str


class Span(NamedTuple):
    """Which runs may be of an attempt: those since ``begin``, by the server's clock, None if that
    is unknown; and how many ``runs`` a page has to hold that shows all of them."""

    begin: float | None
    runs: int = RUNS_READ


@dataclass(frozen=True, slots=True)
class Suspects:
    """Runs that may be of the batch, newest first."""

    run_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ours:
    """Some of the batch exists, or may: in ``run_id``, if that is known."""

    run_id: str | None = None


def may_hide_a_creation(answer: Answer, decision: Decision) -> bool:
    """Whether a refusal may have come after some documents were created."""
    if not isinstance(answer, Answered) or not answer.request_complete:
        return False
    refuses = isinstance(decision, Isolate | Bury | Park | Retry) and decision.outcome == "rejected"
    return refuses and code_of(answer) not in _BEFORE_ANYTHING


def is_looked_into_later(answer: Answer, decision: Decision) -> bool:
    """Whether a space is read before a refused batch is sent again, and not at once.

    Whatever the API then takes, or the rest that it asks for, is meant for reads as well.
    """
    if not isinstance(answer, Answered) or not answer.request_complete:
        return False
    return isinstance(decision, Throttle | Park) and code_of(answer) in _BEFORE_ANYTHING


def note_refused(answer: Answer, decision: Decision, documents: int, seconds: float) -> str:
    """Returns what the ledger keeps until such a look; "" where there is to be none."""
    if not isinstance(answer, Answered) or not is_looked_into_later(answer, decision):
        return ""
    date = answer.server_date
    return f"{documents} {'-' if date is None else date - seconds} {code_of(answer)}"


def read_refused(text: str) -> Refused | None:
    """Returns what the ledger kept; None if it kept nothing."""
    if not text:
        return None
    attempt, taken, refused, marked, documents, since, code = text.split()
    times = int(attempt), int(taken), int(refused)
    began = None if since == "-" else float(since)
    return Refused(*times, marked == "1", int(documents), began, code)


def span_of(taken_ms: int, since: float | None, known: Mapping[str, float]) -> Span:
    """Returns which runs may be of an attempt, and how many have to be read.

    ``since``: when it began, by the ``Date`` of its answer. ``known``: runs of ours, with the ms at
    which their attempts began, the oldest first: where there are enough of them, their times and
    ``Date`` together tell how far the API's clocks are ahead of ours.
    """
    if since is None:
        return Span(None)
    lately = [(ms / 1000, made_at(run_id)) for run_id, ms in [*known.items()][-COMPARED:]]
    ahead = [made - began for began, made in lately if made is not None]
    if len(ahead) < ENOUGH:
        return Span(since - SLACK)
    begin = min(since, taken_ms / 1000 + min(ahead)) - CLOSE_SLACK
    newer = sum(ms / 1000 + max(ahead) >= begin for ms in known.values())
    return Span(begin, min(RUNS_READ + newer, MOST_RUNS_READ))


def examine_runs(listed: Answer, *, documents: int, span: Span) -> Suspects | Ours | None:
    """Returns which of a space's newest runs may be of a batch of so many documents.

    None where none may be, or where the account may not read.
    """
    if not isinstance(listed, Answered):
        return Ours()
    if code_of(listed) in _CANNOT:
        return None
    rows = _rows(listed)
    if rows is None or not all(is_id(row.get("run_id")) for row in rows):
        return Ours()
    made = [made_at(str(row["run_id"])) for row in rows]
    begin = span.begin
    older = [moment is not None and begin is not None and moment < begin for moment in made]
    if not (_is_newest_first(made) and _shows_all_newer(listed, older, span.runs)):
        return Ours()
    found = [
        str(row["run_id"])
        for row, is_older in zip(rows, older, strict=True)
        if not is_older and row.get("batch_count") in (None, 0, documents)
    ]
    return Suspects(tuple(found)) if found else None


class TasksShown(NamedTuple):
    """What the first tasks of a run bear: marks, and where they bear none, ids of documents.

    ``size``: how many tasks these are.
    """

    marks: frozenset[str]
    names: frozenset[str]
    size: int


def read_tasks(listed: Answer) -> TasksShown | None:
    """Returns what a run's first tasks bear; None if none can be read."""
    rows = _rows(listed) if isinstance(listed, Answered) else None
    if not rows:
        return None
    marks = [_input(row).get("callspool_attempt") for row in rows]
    unmarked = [row for row, mark in zip(rows, marks, strict=True) if mark is None]
    names = frozenset(str(name) for row in unmarked for name in _names(row))
    return TasksShown(frozenset(mark for mark in marks if isinstance(mark, str)), names, len(rows))


def examine_tasks(
    shown: TasksShown | None,
    run_id: str,
    *,
    word: str | None,
    ids: Collection[str],
    documents: int,
) -> Ours | None:
    """Whether a run's first tasks are of the attempt with that mark, or may be.

    ``ids``: of what is to be sent of the ``documents`` that the attempt sent.
    """
    if shown is None:
        return Ours()
    if word is not None and word in shown.marks:
        return Ours(run_id)
    if not shown.names.isdisjoint(ids):
        return Ours()
    # Without marks those that are shown may be the ones that left the batch since.
    may_follow = bool(shown.names) and shown.size < documents
    return Ours() if may_follow and len(ids) < documents else None


def made_at(run_id: str) -> float | None:
    """Returns when an id was made, by the server's clock: it is a version-1 UUID (S, R)."""
    try:
        found = UUID(run_id[1:])
    except ValueError:
        return None
    return found.time / _STEPS_A_SECOND - _GREGORIAN if found.version == 1 else None


def _is_newest_first(made: list[float | None]) -> bool:
    """Whether runs come in the order that was promised (D), as far as their ids tell."""
    told = [moment for moment in made if moment is not None]
    oldest = accumulate(told, min)
    return all(moment <= least + SLACK for least, moment in zip(oldest, told[1:], strict=False))


def _shows_all_newer(listed: Answered, older: list[bool], asked: int) -> bool:
    """Whether a page shows all runs since the attempt began: some older one ends it, and none is
    above a newer one; or it is all there is.
    """
    if older and not older[-1]:
        count = listed.json.get("count") if isinstance(listed.json, dict) else None
        return len(older) < asked and count in (None, len(older))
    return older == sorted(older)


def _rows(listed: Answered) -> list[dict[str, object]] | None:
    body = listed.json if isinstance(listed.json, dict) else {}
    data = body.get("data")
    if listed.status != 200 or code_of(listed) != 200 or not isinstance(data, list):
        return None
    return data if all(isinstance(row, dict) for row in data) else None


def _input(row: dict[str, object]) -> dict[str, object]:
    given = row.get("input")
    return given if isinstance(given, dict) else {}


def _names(row: dict[str, object]) -> list[object]:
    names = (_input(row).get("document_id"), row.get("ref_id"))
    return [name for name in names if isinstance(name, str | int)]
