"""Reading an answer to a create-call: which code counts, and what it says was created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from callspool_worker.decisions.answers import Answered

LONGEST_ID = 200
"""Characters of a run's or task's id; the known ones have 33 (S)."""

_DOTS = frozenset({".", ".."})
"""Steps of a path that lead elsewhere, however they are encoded."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer says, before anything is concluded from it.

    ``code`` is the code that counts. ``is_json`` tells that the body is a JSON object,
    ``by_api`` that it has the shape of the API's own answers.
    ``run_id`` is None unless it can be used as an id. ``task_ids`` is what the body holds,
    whatever its type, and None where there is none. ``traces`` tells that something in the
    body speaks for a creation.
    """

    code: int
    is_json: bool
    by_api: bool
    run_id: str | None
    task_ids: object
    traces: bool


def read_reply(answer: Answered) -> Reply:
    """Reads an answer; whatever it holds, this does not fail."""
    body = answer.json
    if not isinstance(body, dict):
        return Reply(answer.status, False, False, None, None, traces=False)
    data = body.get("data")
    run_id, task_ids = _find("run_id", data, body), _find("task_ids", data, body)
    return Reply(
        code=_code_that_counts(answer.status, _stated_code(body)),
        is_json=True,
        by_api=_is_of_the_api(body),
        run_id=run_id if is_id(run_id) else None,
        task_ids=task_ids,
        traces=bool(run_id or task_ids) or (isinstance(data, list) and bool(data)),
    )


def code_of(answer: Answered) -> int:
    """The code that counts: the body's where HTTP says 2xx and the body says something else."""
    stated = _stated_code(answer.json) if isinstance(answer.json, dict) else None
    return _code_that_counts(answer.status, stated)


def _is_of_the_api(body: dict[object, object]) -> bool:
    """Whether a body has the API's own shape: a code (S), or what it passes on with its words (R).

    A proxy that speaks JSON has a message as well, and no errors beside it.
    """
    passes_on = isinstance(body.get("message"), str) and "errors" in body
    return passes_on or _stated_code(body) is not None


def _find(name: str, *places: object) -> object:
    values = (place.get(name) for place in places if isinstance(place, dict))
    return next((value for value in values if value is not None), None)


def _code_that_counts(status: int, stated: int | None) -> int:
    if stated is None:
        return status
    # Beside an HTTP error only a graver word of the body counts: after a 500 of an inner
    # service there may be tasks, whatever the outer one made of it.
    believed = 200 <= status < 300 or 500 <= stated < 600
    return stated if believed and not 500 <= status < 600 else status


def _stated_code(body: dict[object, object]) -> int | None:
    code = body.get("status_code")
    if isinstance(code, str) and len(code) == 3 and code.isdecimal():
        return int(code)
    if isinstance(code, bool) or not isinstance(code, int):
        return None
    return code if 0 <= code <= 999 else 0  # no code at all, with up to 4,300 digits


def is_id(value: object) -> TypeGuard[str]:
    """Whether a value can serve as the id of a run or task, also as a step of a path."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        return False
    return value.isprintable() and value not in _DOTS


def ids_of_all(task_ids: object, documents: int) -> tuple[str, ...] | None:
    """The ids as a tuple if they are exactly one proper id for each document, else None."""
    if not isinstance(task_ids, list) or len(task_ids) != documents or documents < 1:
        return None
    if set(map(type, task_ids)) != {str}:
        return None
    # As `is_id` for each, in a few passes over all of them.
    distinct, lengths = set(task_ids), set(map(len, task_ids))
    if len(distinct) != documents or min(lengths) == 0 or max(lengths) > LONGEST_ID:
        return None
    if not "".join(task_ids).isprintable() or not distinct.isdisjoint(_DOTS):
        return None
    return tuple(task_ids)
