"""Reading back, page by page: as far as needed and no further."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from callspool.errors import CallspoolError
from callspool_worker.decisions.answers import Answered, code_of
from callspool_worker.decisions.decide import has_moved, wrong_address
from callspool_worker.decisions.wording import words_of
from callspool_worker.proving.records import RunSeen, TaskSeen, run_seen, task_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from callspool_worker.decisions.answers import Answer

    Get: TypeAlias = Callable[[tuple[str, ...], Mapping[str, str | int]], Answer]
    """Reads a path of the API with its query."""

PAGE_SIZE = 100
MOST_PAGES = 500
"""Pages of one list that are read in one look, at most."""

MOST_ENTRIES = MOST_PAGES * PAGE_SIZE
"""Entries of one list, whatever size its pages have."""

TRIES = 2
"""How often a list of runs is read that counts more than it shows: one may just have come."""

STALE_PAGES = 4
"""Pages without anything new after which a list does not go on: while others create runs, pages
shift, and the next one may show what the last one showed."""

Entry = TypeVar("Entry", RunSeen, TaskSeen)

_REFUSED = frozenset({403, 404})


class Unreadable(CallspoolError):  # noqa: N818 - says what is the matter
    """A list could not be read. ``refused``: the API says that this account may not, or cannot.

    ``lasting``: it has moved, or refuses the token, until somebody mends that. ``passing``: it gave
    no answer, or none of its own; another try may do.
    """

    def __init__(
        self,
        reason: str,
        *,
        refused: bool = False,
        lasting: bool = False,
        passing: bool = False,
    ) -> None:
        self.refused = refused
        self.lasting = lasting
        self.passing = passing
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and the server's clock when it was sent."""

    entries: list[object]
    count: int | None
    server_date: float | None


@dataclass(slots=True)
class _List(Generic[Entry]):
    """What was seen of a list so far, and whether that is all of it.

    New entries only push the others on, so reading to the end has seen all that were there
    at the first page. Where the end is, the pages tell, never the list's ``count``: that only shows
    that something is left out.
    """

    parse: Callable[[object], Entry | None]
    seen: dict[str, Entry] = field(default_factory=dict)
    counts: list[int] = field(default_factory=list)
    stale: int = 0
    longest: int = 0

    def add(self, page: Page) -> list[Entry]:
        """Returns the entries of a page that were not seen before."""
        if page.count is not None:
            self.counts.append(page.count)
        self.longest = max(self.longest, len(page.entries))
        read = {}
        for entry in page.entries:
            known = self.parse(entry)
            if known is None:
                raise Unreadable("it lists what cannot be told by an id")
            read[_id_of(known)] = known
        fresh = [entry for name, entry in read.items() if name not in self.seen]
        self.seen.update(read)
        self.stale = 0 if fresh else self.stale + 1
        if self.stale >= STALE_PAGES:
            raise Unreadable("whatever page is asked for, it shows nothing new")
        return fresh

    def ends_with(self, page: Page) -> bool:
        """Whether no page follows this one, as far as that is certain.

        A page that is shorter than another one was is the last one; a first page may be as long as
        any that this server gives. Pages that show nothing new end a list whose count says so.
        """
        if self.stale > 1 and page.count == len(self.seen):
            return True
        return len(page.entries) < min(self.longest, PAGE_SIZE)

    @property
    def left_out(self) -> int:
        """How many entries were counted and not seen; more of them may just have come."""
        return max(0, min(self.counts, default=0) - len(self.seen))


def _id_of(entry: RunSeen | TaskSeen) -> str:
    return entry.run_id if isinstance(entry, RunSeen) else entry.task_id


def _made_by_requests(found: _List[TaskSeen]) -> list[TaskSeen]:
    return [task for task in found.seen.values() if not task.follows]


class SpaceReader:
    """Reads the runs of one space and their tasks. Raises `Unreadable`."""

    def __init__(self, space_token: str, get: Get) -> None:
        self._space = ("spaces", space_token, "runs")
        self._get = get
        self.server_date: float | None = None
        """The server's clock at the last answer, in seconds since 1970; None if it told none."""

    def runs(self) -> Iterator[list[RunSeen]]:
        """The space's runs, a page at a time, the newest first as a rule."""
        for _ in range(TRIES):
            found: _List[RunSeen] = _List(run_seen)
            yield from self._pages(self._space, found)
            if not found.left_out:
                return
        counted = min(found.counts)
        raise Unreadable(f"it ends after {len(found.seen)} of {counted} entries")

    def tasks(
        self, run_id: str, *, whole: Callable[[list[TaskSeen]], bool], enough: int = 0
    ) -> tuple[list[TaskSeen], bool]:
        """Returns the tasks of a run, without those that the platform made; whether it counts more.

        Only its first page unless ``whole``, asked about that, says so; a page that brings it to
        ``enough`` tasks is the last one, if that is not 0.
        """
        found: _List[TaskSeen] = _List(task_seen)
        pages = self._pages((*self._space, run_id, "tasks"), found)
        for number, page in enumerate(pages):
            if number == 0 and not whole([task for task in page if not task.follows]):
                break
            if enough and len(_made_by_requests(found)) == enough:
                break
        else:
            return _made_by_requests(found), bool(found.left_out)
        return _made_by_requests(found), False

    def task_page(self, run_id: str, number: int) -> Page | None:
        """Returns one page of a run's tasks; None where there is no such page."""
        return self._page((*self._space, run_id, "tasks"), number)

    def window_page(self, number: int, window: Mapping[str, int]) -> Page | None:
        """Returns one page of the space's tasks that were created in a window of time."""
        return self._page((*self._space[:2], "tasks"), number, window=window)

    def runs_page(self) -> Page | None:
        """Returns the first page of the space's runs, with their count."""
        return self._page(self._space, 1)

    def log_page(self, number: int, size: int) -> Page | None:
        """Returns one page of the account's call log; None where there is no such page."""
        return self._page(("call-logs",), number, size)

    def _pages(self, path: tuple[str, ...], found: _List[Entry]) -> Iterator[list[Entry]]:
        read = 0
        for number in range(1, MOST_PAGES + 1):
            page = self._page(path, number)
            if page is None or not page.entries:
                if page is not None and page.count is not None:
                    found.counts.append(page.count)
                return
            read += len(page.entries)
            if read > MOST_ENTRIES:
                raise Unreadable(f"it has more than {MOST_ENTRIES:,} entries")
            fresh = found.add(page)
            if fresh:
                yield fresh
            if found.ends_with(page):
                return
        raise Unreadable(f"it has more than {MOST_PAGES} pages")

    def _page(
        self,
        path: tuple[str, ...],
        number: int,
        size: int = PAGE_SIZE,
        window: Mapping[str, int] | None = None,
    ) -> Page | None:
        """A page; None where the API says that there is none of that number."""
        answer = self._get(path, {"page": number, "page_size": size, **(window or {})})
        if not isinstance(answer, Answered):
            raise Unreadable(f"no answer: {answer.reason}", passing=True)
        self.server_date = answer.server_date or self.server_date
        code = code_of(answer)
        body = answer.json if isinstance(answer.json, dict) else {}
        if answer.status == 200 and code == 200 and isinstance(body.get("data"), list):
            count = body.get("count")
            known = isinstance(count, int) and not isinstance(count, bool)
            return Page(body["data"], count if known else None, answer.server_date)
        if number > 1 and code == 404:
            return None
        if has_moved(answer):
            raise Unreadable(wrong_address(answer), lasting=True, passing=True)
        passing = not body or code == 401 or code >= 429
        # A page of people that is broken must not be quoted, only what refuses it.
        words = "no list that can be read" if code == 200 else words_of(answer)
        raise Unreadable(
            f"{code}: {words}", refused=code in _REFUSED, lasting=code == 401, passing=passing
        )
