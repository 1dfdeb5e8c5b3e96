"""Reading back, page by page: as far as needed and no further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from callspool.errors import CallspoolError
from callspool_worker.answers import Answered
from callspool_worker.reconcile.parsing import run_seen, task_seen
from callspool_worker.reply import code_of
from callspool_worker.wording import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from callspool_worker.answers import Answer
    from callspool_worker.reconcile.sightings import RunSeen, TaskSeen

    Get: TypeAlias = Callable[[tuple[str, ...], Mapping[str, str | int]], Answer]
    """Reads a path of the API with its query."""

PAGE_SIZE = 100
MOST_PAGES = 500
"""Pages of one list that are read in one look, at most."""

MOST_ENTRIES = MOST_PAGES * PAGE_SIZE
"""Entries of one list, whatever size its pages have."""

Entry = TypeVar("Entry")

_REFUSED = frozenset({403, 404})


class Unreadable(CallspoolError):  # noqa: N818 - says what is the matter
    """A list could not be read. ``refused``: the API says that this account may not, or cannot."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        self.refused = refused
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and the server's clock when it was sent."""

    entries: list[object]
    count: int | None
    server_date: float | None


class SpaceReader:
    """Reads the runs of one space and their tasks. Raises `Unreadable`."""

    def __init__(self, space_token: str, get: Get) -> None:
        self._space = ("spaces", space_token, "runs")
        self._get = get
        self.server_date: float | None = None
        """The server's clock at the last answer, in seconds since 1970; None if it told none."""

    def runs(self) -> Iterator[list[RunSeen]]:
        """The space's runs, a page at a time, the newest first."""
        seen: set[str] = set()
        for entries in self._pages(self._space):
            page = [run for run in map(run_seen, entries) if run and run.run_id not in seen]
            seen.update(run.run_id for run in page)
            if not page:
                return  # the same page again: there are no others
            yield page

    def tasks(self, run_id: str, *, whole: Callable[[list[TaskSeen]], bool]) -> list[TaskSeen]:
        """The tasks of a run; only its first page unless ``whole``, asked about that, says so."""
        found: dict[str, TaskSeen] = {}
        for entries in self._pages((*self._space, run_id, "tasks")):
            page = [task for task in map(task_seen, entries) if task]
            is_first = not found
            before = len(found)
            found.update((task.task_id, task) for task in page)
            if len(found) == before or (is_first and not whole(page)):
                break
        return list(found.values())

    def _pages(self, path: tuple[str, ...]) -> Iterator[list[object]]:
        read = 0
        for number in range(1, MOST_PAGES + 1):
            page = self._page(path, number)
            if page is None or not page.entries:
                return
            read += len(page.entries)
            if read > MOST_ENTRIES:
                raise Unreadable(f"the list has more than {MOST_ENTRIES:,} entries")
            yield page.entries
            if page.count is not None and read >= page.count:
                return
        raise Unreadable(f"the list has more than {MOST_PAGES} pages")

    def _page(self, path: tuple[str, ...], number: int) -> Page | None:
        """A page; None where the API says that there is none of that number."""
        answer = self._get(path, {"page": number, "page_size": PAGE_SIZE})
        if not isinstance(answer, Answered):
            raise Unreadable(f"no answer: {answer.reason}")
        self.server_date = answer.server_date or self.server_date
        code = code_of(answer)
        body = answer.json if isinstance(answer.json, dict) else {}
        if answer.status == 200 and code == 200 and isinstance(body.get("data"), list):
            count = body.get("count")
            known = isinstance(count, int) and not isinstance(count, bool)
            return Page(body["data"], count if known else None, answer.server_date)
        if number > 1 and code == 404:
            return None
        # A page of people that is broken must not be quoted, only what refuses it.
        words = "no list that can be read" if code == 200 else words_of(answer)
        raise Unreadable(f"{code}: {words}", refused=code in _REFUSED)
