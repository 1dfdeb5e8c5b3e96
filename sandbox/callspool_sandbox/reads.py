"""The endpoints that read back: pages of runs, tasks and agents (D, O, R), row by row."""

from __future__ import annotations

import random
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from callspool_sandbox.dialler import call_log
from callspool_sandbox.filters import FILTERS, FilteredRows, passes
from callspool_sandbox.protocol import Answer, api_answer, failed_read, page_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from callspool_sandbox.dialler import Dialler, Ring
    from callspool_sandbox.exchange import Clock, ServerStates
    from callspool_sandbox.fault_files import ServerTraits
    from callspool_sandbox.protocol import Route
    from callspool_sandbox.store import Store, StoredRun


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
        self,
        store: Store,
        server: ServerTraits,
        clock: Clock,
        lags: tuple[float, float],
        dialler: Dialler | None = None,
    ) -> None:
        self.dialler = dialler
        self.store = store
        self.server = server
        self.clock = clock
        self._lags = lags

    def view(self, route: Route) -> View:
        """Returns the list that a read asks for."""
        if route.endpoint == "runs":
            return _Runs(self, route.space)
        run_id = route.run_id if route.endpoint == "tasks" else None
        is_filtered = run_id is None and self.server.filters == "honoured"
        wanted = {name: word for name in FILTERS if (word := route.query.get(name))}
        if is_filtered and wanted:
            return FilteredRows(_Tasks(self, route.space, None, wanted), wanted)
        return _Tasks(self, route.space, run_id)

    def runs_of(self, space: str) -> Sequence[StoredRun]:
        runs = self.store.runs_of(space)
        lag = self._lags[0]
        if not lag:
            return runs
        return [run for run in runs if run.made <= time.monotonic() - lag]

    def tasks_known(self, run: StoredRun) -> int:
        """Returns how many tasks of a run there are."""
        lag = self._lags[1]
        return run.tasks_at(time.monotonic() - lag) if lag else run.tasks

    def follow_ups(self, run: StoredRun) -> int:
        """Returns how many tasks were followed up: without a dialler all of a run, or none yet."""
        if self.dialler is not None:
            return len(self.dialler.followed_up(run))
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
        """Yields the tasks at these places; those beyond the documents are follow-ups."""
        request = self.store.request(run)
        run_id = self.store.run_id(run)
        dialled = self.dialler.tasks(run) if self.dialler else []
        followed = self.dialler.followed_up(run) if self.dialler else range(run.tasks)
        for place in places:
            of = place if place < run.tasks else followed[place - run.tasks]
            document = request.documents[of]
            created = self.clock.iso(run.piece_of(of).created)
            task_id = self.store.task_id(run, of)
            shown: Row = self._show_document(run, document)
            output: Row = {}
            status = "pending"
            if self.dialler is not None and place < len(dialled):
                status = dialled[place].status
                output |= self.dialler.output(dialled[place], f"C{task_id[1:13]}")
            if place >= run.tasks:
                shown.pop("ref_id", None)
                output |= {"referenced_task": task_id, "followup_count": 1}
                task_id = self.store.follow_up_id(run, of)
                if place < len(dialled):
                    created = self.clock.iso(dialled[place].made)
            yield {
                "task_id": task_id,
                "run_id": run_id,
                **shown,
                "output": output,
                "assignee": request.pilot,
                "status": status,
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
    """Tasks of a space, or of one run; an unknown run has none (R).

    ``wanted``: runs whose tasks were all created at other times are passed over.
    """

    def __init__(
        self, rows: Rows, space: str, run_id: str | None, wanted: Mapping[str, str] | None = None
    ) -> None:
        self._rows = rows
        self._space = space
        self._run_id = run_id
        self._wanted = wanted or {}

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
            runs = self._rows.store.runs_of(self._space)
            return [run for run in runs if self._may_pass(run)] if self._wanted else runs
        run = self._rows.store.find_run(self._space, self._run_id)
        return [] if run is None else [run]

    def _may_pass(self, run: StoredRun) -> bool:
        if run.later or self._rows.follow_ups(run):
            return True
        created = self._rows.clock.iso(run.piece_of(0).created) if run.tasks else ""
        times = {name: word for name, word in self._wanted.items() if name.endswith("_ts")}
        return all(passes({"created": created}, *each) for each in times.items())

    def _places(self, run: StoredRun) -> range:
        return range(self._rows.tasks_known(run) + self._rows.follow_ups(run))


OLDER = b'{"pilot":"older","documents":[{"name":"Older","contact_number":"+14155550100"}]}'
"""What a space holds that was there before: tasks of other programs."""


class Reads:
    """Answers reads from the store."""

    def __init__(
        self,
        store: Store,
        states: ServerStates,
        seed: int | None,
        dialler: Dialler | None = None,
    ) -> None:
        self._dialler = dialler
        self._store = store
        self._states = states
        self._chance = random.Random(seed)  # noqa: S311 - no secret

    def know(self, space: str, clock: Clock) -> None:
        """Lets a space begin with what was there before, when it is named for the first time."""
        older = self._states.now.older_runs
        if older and not self._store.knows(space):
            self._store.add_older(space, older, OLDER, clock.now())

    def page(self, route: Route, clock: Clock) -> tuple[list[Row] | Answer, Callable[[], int]]:
        """Returns the rows of the page that a read asks for, and what counts all of them.

        The API counts after it has read the page, so a list that grows is shorter than its count
        (R).
        """
        server = self._states.now
        number = route.number("page")
        if number == 0:
            what = "Tasks" if route.endpoint == "space_tasks" else "Runs"
            return failed_read(what, "Page number must be 1 or more"), lambda: 0
        if route.endpoint == "agents":
            agents = [_agent(handle) for handle in server.agents]
            return agents, lambda: len(agents)
        if self._dialler is not None:
            self._dialler.advance()
        if route.endpoint == "call_logs":
            return self._call_log(route, server)
        view = Rows(self._store, server, clock, self._cutoffs(server), self._dialler).view(route)
        start, size = _window(server, route, view.count())
        return list(islice(self._order_rows(server, view, start), size)), view.count

    def _call_log(
        self, route: Route, server: ServerTraits
    ) -> tuple[list[Row] | Answer, Callable[[], int]]:
        dialler = self._dialler
        if dialler is None or (server.calls is not None and not server.calls.call_log):
            return api_answer(403), lambda: 0
        rings = dialler.log

        def number_of(ring: Ring) -> object:
            followed, place = dialler.followed_up(ring.run), ring.place
            of = place if place < ring.run.tasks else followed[place - ring.run.tasks]
            return self._store.request(ring.run).documents[of].get("contact_number")

        start, size = _window(server, route, len(rings))
        return list(islice(call_log(rings, number_of), start, start + size)), lambda: len(rings)

    def answer(self, rows: list[Row] | Answer, count: Callable[[], int]) -> Answer:
        """Returns the page as it goes out."""
        if isinstance(rows, Answer):
            return rows
        return page_answer(_state_count(self._states.now, len(rows), count), rows)

    def _cutoffs(self, server: ServerTraits) -> tuple[float, float]:
        """Seconds by which runs and tasks lag: those of a replica that may be asked."""
        lags = self._chance.random() < server.lag_share
        return (server.runs_lag, server.tasks_lag) if lags else (0.0, 0.0)

    def _order_rows(self, server: ServerTraits, view: View, skip: int) -> Iterable[Row]:
        if server.order in {"newest", "oldest"}:
            return view.rows(skip, newest_first=server.order == "newest")
        rows = list(view.rows(0, newest_first=True))
        if server.order == "created":
            rows.sort(key=lambda row: str(row["created"]), reverse=True)
        else:
            self._chance.shuffle(rows)
        return rows[skip:]


def _agent(handle: str) -> Row:
    return {
        "handle": handle,
        "name": "Sandbox agent",
        "type": "Voice",
        "state": "published",
        "description": None,
        "purpose": "Calls nobody",
    }


def _window(server: ServerTraits, route: Route, count: int) -> tuple[int, int]:
    """Where a page begins, and how many rows it has at most; 0 asks for everything (R)."""
    asked = route.number("page_size")
    size = server.page_size if asked is None else asked or max(count, 1)
    size = min(size, server.max_page_size or size)
    page = route.number("page") or 1
    if server.pages == "ignored":
        page = 1
    elif server.pages == "clamped":
        page = min(page, max(-(-count // size), 1))
    return (page - 1) * size, size


def _state_count(server: ServerTraits, shown: int, count: Callable[[], int]) -> int | None:
    """The `count` of a list, which may be a lie."""
    if isinstance(server.counts, bool):
        return count() if server.counts else None
    if isinstance(server.counts, int):
        return server.counts
    return shown if server.counts == "page" else count()
