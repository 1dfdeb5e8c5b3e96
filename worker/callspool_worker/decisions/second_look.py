"""What a space shows after a refusal: whether some of the batch may exist all the same. Pure.

The API refuses before it creates anything, as far as is known. Where it does not, the halves of the
batch would call people twice; one read of the space's newest runs tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING
from uuid import UUID

from callspool_worker.decisions.answers import Answered, code_of, is_id
from callspool_worker.decisions.decide import Bury, Decision, Isolate, Park, Retry

if TYPE_CHECKING:
    from collections.abc import Collection

    from callspool_worker.decisions.answers import Answer

RUNS_READ = 20
"""Runs of the page that is read."""

MOST_SUSPECTS = 3
"""Runs whose tasks are read, at most; where more may be ours, the space is proven in full."""

SLACK = 180.0
"""Seconds by which the API's clocks may differ from each other."""

_GREGORIAN = 12_219_292_800.0
_STEPS_A_SECOND = 1e7
_CANNOT = frozenset({403, 404})
_BEFORE_ANYTHING = frozenset({401, 429})


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


def examine_runs(listed: Answer, *, documents: int, since: float | None) -> Suspects | Ours | None:
    """Returns which of a space's newest runs may be of a batch of so many documents.

    ``since``: when the attempt began, by the server's clock; None if that is unknown. None where
    none may be, or where the account may not read.
    """
    if not isinstance(listed, Answered):
        return Ours()
    if code_of(listed) in _CANNOT:
        return None
    rows = _rows(listed)
    if rows is None or not all(is_id(row.get("run_id")) for row in rows):
        return Ours()
    made = [made_at(str(row["run_id"])) for row in rows]
    older = [moment is not None and since is not None and moment < since - SLACK for moment in made]
    if not (_is_newest_first(made) and _shows_all_newer(listed, older)):
        return Ours()
    found = [
        str(row["run_id"])
        for row, is_older in zip(rows, older, strict=True)
        if not is_older and row.get("batch_count") in (None, 0, documents)
    ]
    return Suspects(tuple(found)) if found else None


def examine_tasks(
    listed: Answer, run_id: str, *, word: str | None, ids: Collection[str]
) -> Ours | None:
    """Whether a run's first tasks are of the attempt with that mark, or may be.

    ``ids``: of the documents that it sent.
    """
    rows = _rows(listed) if isinstance(listed, Answered) else None
    if not rows:
        return Ours()
    marks = [_input(row).get("callspool_attempt") for row in rows]
    if word is not None and word in marks:
        return Ours(run_id)
    unmarked = [row for row, mark in zip(rows, marks, strict=True) if mark is None]
    names = {str(name) for row in unmarked for name in _names(row)}
    return Ours() if names & set(ids) else None


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


def _shows_all_newer(listed: Answered, older: list[bool]) -> bool:
    """Whether a page shows all runs since the attempt began: some older one ends it, and none is
    above a newer one; or it is all there is.
    """
    if older and not older[-1]:
        count = listed.json.get("count") if isinstance(listed.json, dict) else None
        return len(older) < RUNS_READ and count in (None, len(older))
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
