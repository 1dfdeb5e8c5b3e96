"""The endpoints that read back: pages of runs, tasks and agents (D, O, R)."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING

from callspool_sandbox.answers import Answer, failed_read, page_answer
from callspool_sandbox.data.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from callspool_sandbox.clock import Clock
    from callspool_sandbox.data.rows import Row, View
    from callspool_sandbox.data.store import Store
    from callspool_sandbox.faults.model import ServerTraits
    from callspool_sandbox.routes import Route
    from callspool_sandbox.ways import Ways

OLDER = b'{"pilot":"older","documents":[{"name":"Older","contact_number":"+14155550100"}]}'
"""What a space holds that was there before: tasks of other programs."""


class Reads:
    """Answers reads from the store."""

    def __init__(self, store: Store, ways: Ways, seed: int | None) -> None:
        self._store = store
        self._ways = ways
        self._chance = random.Random(seed)  # noqa: S311 - no secret

    def know(self, space: str, clock: Clock) -> None:
        """Lets a space begin with what was there before, when it is named for the first time."""
        older = self._ways.now.older_runs
        if older and not self._store.knows(space):
            self._store.add_older(space, older, OLDER, clock.now())

    def page(self, route: Route, clock: Clock) -> tuple[list[Row] | Answer, Callable[[], int]]:
        """The rows of the page that a read asks for, and what counts all of them.

        The API counts after it has read the page, so a list that grows is shorter than its count
        (R).
        """
        server = self._ways.now
        number = route.number("page")
        if number == 0:
            what = "Tasks" if route.endpoint == "space_tasks" else "Runs"
            return failed_read(what, "Page number must be 1 or more"), lambda: 0
        if route.endpoint == "agents":
            agents = [_agent(handle) for handle in server.agents]
            return agents, lambda: len(agents)
        view = Rows(self._store, server, clock, self._cutoffs(server)).view(route)
        start, size = _window(server, route, view.count())
        return list(islice(self._order_rows(server, view, start), size)), view.count

    def answer(self, rows: list[Row] | Answer, count: Callable[[], int]) -> Answer:
        """The page as it goes out."""
        if isinstance(rows, Answer):
            return rows
        return page_answer(_state_count(self._ways.now, len(rows), count), rows)

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
