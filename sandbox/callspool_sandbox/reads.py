"""The endpoints that read back: pages of runs, tasks and agents, newest first (D, O)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callspool_sandbox.answers import Answer, api_answer, page_answer
from callspool_sandbox.defaults import PILOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool_sandbox.clock import Clock
    from callspool_sandbox.faults.model import Server
    from callspool_sandbox.routes import Route
    from callspool_sandbox.store import Run, Store

Row = dict[str, object]

DOCUMENT_FIELDS = (
    *("name", "contact_number", "email", "alternate_number", "occupation", "company_name"),
    *("address", "about", "context", "labels", "title", "description", "document_id"),
)
"""The fields of a document that the API names (S)."""


class Reads:
    """Answers reads from the store."""

    def __init__(self, store: Store, clock: Clock, server: Server) -> None:
        self._store = store
        self._clock = clock
        self._server = server

    def answer(self, route: Route) -> Answer:
        """The page that a read asks for; a failed read is a 206 whose `data` is an object (O)."""
        if route.endpoint == "agents":
            rows: list[Row] = [{"handle": PILOT, "name": "Sandbox agent", "type": "Voice"}]
            return self._page(len(rows), rows)
        runs: Sequence[Run] = self._store.runs_of(route.space)
        if route.endpoint == "runs":
            start, size = self._window(route, len(runs))
            return self._page(len(runs), [self._run_row(run) for run in _page(runs, start, size)])
        if route.endpoint == "tasks":
            run = self._store.find_run(route.space, route.run_id)
            if run is None:
                return api_answer(206, message="Invalid Run")
            runs = [run]
        count = sum(run.tasks for run in runs)
        start, size = self._window(route, count)
        return self._page(count, list(self._task_rows(runs, start, size)))

    def _page(self, count: int, rows: list[Row]) -> Answer:
        return page_answer(count if self._server.counts else None, rows)

    def _window(self, route: Route, count: int) -> tuple[int, int]:
        size = min(route.page_size or self._server.page_size, self._server.max_page_size)
        page = max(route.page or 1, 1)
        if self._server.pages == "ignored":
            page = 1
        elif self._server.pages == "clamped":
            page = min(page, max(-(-count // size), 1))
        return (page - 1) * size, size

    def _run_row(self, run: Run) -> Row:
        return {
            "run_id": self._store.run_id(run),
            "status": run.status,
            "batch_count": run.batch_count,
            "created": self._clock.iso(run.created),
            "modified": self._clock.iso(run.modified),
        }

    def _task_rows(self, runs: Sequence[Run], skip: int, size: int) -> Iterable[Row]:
        for run in reversed(runs):
            if size <= 0:
                return
            if skip >= run.tasks:
                skip -= run.tasks
                continue
            newest = run.tasks - 1 - skip
            oldest = max(newest - size + 1, 0)
            yield from self._rows_of(run, newest, oldest)
            size -= newest - oldest + 1
            skip = 0

    def _rows_of(self, run: Run, newest: int, oldest: int) -> Iterable[Row]:
        request = self._store.request(run)
        run_id = self._store.run_id(run)
        for place in range(newest, oldest - 1, -1):
            created = self._clock.iso(run.created_at(place))
            document: dict[str, Any] = request.documents[place]
            yield {
                "task_id": self._store.task_id(run, place),
                "run_id": run_id,
                **self._shown(document),
                "output": {},
                "assignee": request.pilot,
                "status": "pending",
                "created": created,
                "modified": created,
            }

    def _shown(self, document: dict[str, Any]) -> Row:
        """What a task shows of the document that it was made from."""
        if self._server.input == "none":
            return {"input": {}}
        ref_id = document.get("id", document.get("document_id"))
        if self._server.input == "known":
            document = {name: document[name] for name in DOCUMENT_FIELDS if name in document}
        return {"ref_id": ref_id, "input": document}


def _page(runs: Sequence[Run], start: int, size: int) -> Iterable[Run]:
    newest = len(runs) - start
    return reversed(runs[max(newest - size, 0) : max(newest, 0)])
