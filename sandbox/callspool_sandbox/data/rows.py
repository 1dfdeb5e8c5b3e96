"""Runs and tasks as a list shows them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from callspool_sandbox.clock import Clock
    from callspool_sandbox.data.store import Store, StoredRun
    from callspool_sandbox.faults.model import ServerTraits
    from callspool_sandbox.routes import Route

Row = dict[str, object]

DOCUMENT_FIELDS = (
    *("name", "contact_number", "email", "alternate_number", "occupation", "company_name"),
    *("address", "about", "context", "labels", "title", "description", "document_id"),
)
"""The fields of a document that the API names (S)."""

OVERWRITTEN = ("token", "quality")
"""Extra fields that come back as something else (R)."""


class View(Protocol):
    """A list, and how long it is by now."""

    def rows(self, skip: int, *, newest_first: bool) -> Iterable[Row]: ...
    def count(self) -> int: ...


class Rows:
    """Lists of what the store holds, as far as a replica knows it.

    ``lags``: seconds that it is behind, for runs and for tasks.
    """

    def __init__(
        self, store: Store, server: ServerTraits, clock: Clock, lags: tuple[float, float]
    ) -> None:
        self.store = store
        self.server = server
        self.clock = clock
        self._lags = lags

    def view(self, route: Route) -> View:
        """The list that a read asks for."""
        if route.endpoint == "runs":
            return _Runs(self, route.space)
        run_id = route.run_id if route.endpoint == "tasks" else None
        tasks = _Tasks(self, route.space, run_id)
        is_filtered = run_id is None and self.server.filters == "honoured"
        wanted = {name: word for name in FILTERS if (word := route.query.get(name))}
        return _Filtered(tasks, wanted) if is_filtered and wanted else tasks

    def runs_of(self, space: str) -> Sequence[StoredRun]:
        runs = self.store.runs_of(space)
        lag = self._lags[0]
        if not lag:
            return runs
        return [run for run in runs if run.made <= time.monotonic() - lag]

    def tasks_known(self, run: StoredRun) -> int:
        """How many tasks of a run there are."""
        lag = self._lags[1]
        return run.tasks_at(time.monotonic() - lag) if lag else run.tasks

    def follow_ups(self, run: StoredRun) -> int:
        """How many tasks were followed up by another one: all of a run, or none yet."""
        after = self.server.follow_up_after
        if after is None or run.finished is None or run.status == "completed":
            return 0
        return run.tasks * (run.finished + after <= time.monotonic())

    def run_row(self, run: StoredRun) -> Row:
        return {
            "run_id": self.store.run_id(run),
            "status": run.status,
            "batch_count": run.batch_count,
            "created": self.clock.iso(run.created),
            "modified": self.clock.iso(run.modified),
        }

    def task_rows(self, run: StoredRun, places: Iterable[int]) -> Iterator[Row]:
        """The tasks at these places; those beyond the documents are follow-ups."""
        request = self.store.request(run)
        run_id = self.store.run_id(run)
        for place in places:
            document = request.documents[place % run.tasks]
            created = self.clock.iso(run.piece_of(place % run.tasks).created)
            task_id = self.store.task_id(run, place % run.tasks)
            shown, output = self._show_document(run, document), {}
            if place >= run.tasks:
                shown.pop("ref_id", None)
                output = {"referenced_task": task_id, "followup_count": 1}
                task_id = self.store.follow_up_id(run, place % run.tasks)
            yield {
                "task_id": task_id,
                "run_id": run_id,
                **shown,
                "output": output,
                "assignee": request.pilot,
                "status": "pending",
                "execution_type": self._execution_type(run.space),
                "created": created,
                "modified": created,
            }

    def _show_document(self, run: StoredRun, document: dict[str, Any]) -> Row:
        """What a task shows of the document that it was made from."""
        if self.server.input == "none":
            return {"input": {}}
        ref_id = document.get("id") or document.get("document_id")
        if self.server.input == "known":
            document = {name: document[name] for name in DOCUMENT_FIELDS if name in document}
        changed = {"token": run.space, "quality": "good"}
        overwritten = {name: changed[name] for name in OVERWRITTEN if name in document}
        return {"ref_id": ref_id, "input": {**document, **overwritten}}

    def _execution_type(self, space: str) -> str:
        return self.server.execution_types.get(space, self.server.execution_type)


class _Runs:
    def __init__(self, rows: Rows, space: str) -> None:
        self._rows = rows
        self._space = space

    def rows(self, skip: int, *, newest_first: bool) -> Iterator[Row]:
        runs = self._rows.runs_of(self._space)
        places = range(len(runs) - 1, -1, -1) if newest_first else range(len(runs))
        return (self._rows.run_row(runs[place]) for place in places[skip:])

    def count(self) -> int:
        return len(self._rows.runs_of(self._space))


class _Tasks:
    """Tasks of a space, or of one run; an unknown run has none (R)."""

    def __init__(self, rows: Rows, space: str, run_id: str | None) -> None:
        self._rows = rows
        self._space = space
        self._run_id = run_id

    def rows(self, skip: int, *, newest_first: bool) -> Iterator[Row]:
        runs = self._runs()
        for run in reversed(runs) if newest_first else runs:
            places = self._places(run)
            if skip < len(places):
                inner = places[::-1][skip:] if newest_first else places[skip:]
                yield from self._rows.task_rows(run, inner)
            skip = max(0, skip - len(places))

    def count(self) -> int:
        ahead = self._rows.server.counts == "ahead"
        return sum(
            run.batch_count if ahead and run.tasks else len(self._places(run))
            for run in self._runs()
        )

    def _runs(self) -> Sequence[StoredRun]:
        if self._run_id is None:
            return self._rows.store.runs_of(self._space)
        run = self._rows.store.find_run(self._space, self._run_id)
        return [] if run is None else [run]

    def _places(self, run: StoredRun) -> range:
        return range(self._rows.tasks_known(run) + self._rows.follow_ups(run))


FILTERS = ("from_ts", "to_ts", "status", "search")
"""What a list of a space's tasks can be narrowed by (O)."""


class _Filtered:
    """The same without what was not asked for."""

    def __init__(self, tasks: _Tasks, wanted: dict[str, str]) -> None:
        self._tasks = tasks
        self._wanted = wanted

    def rows(self, skip: int, *, newest_first: bool) -> Iterator[Row]:
        found = filter(self._is_wanted, self._tasks.rows(0, newest_first=newest_first))
        return islice(found, skip, None)

    def count(self) -> int:
        return sum(1 for _ in self.rows(0, newest_first=True))

    def _is_wanted(self, row: Row) -> bool:
        return all(_passes(row, name, word) for name, word in self._wanted.items())


def _passes(row: Row, name: str, word: str) -> bool:
    if name == "status":
        return row["status"] == word
    if name == "search":
        return word.lower() in str(row["input"]).lower()
    moment = _seconds(str(row["created"]))
    return moment >= float(word) if name == "from_ts" else moment <= float(word)


def _seconds(created: str) -> float:
    found = datetime.fromisoformat(created)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
