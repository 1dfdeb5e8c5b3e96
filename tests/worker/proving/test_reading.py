"""Lists, page by page, of servers that page as they please while others create runs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callspool_worker.decisions.answers import Answer, Answered
from callspool_worker.proving.api_lists import SpaceReader, Unreadable


class Server:
    """Runs, the newest first; ``arriving`` new ones come before every page but the first."""

    def __init__(
        self,
        runs: int,
        size: int,
        arriving: list[int],
        ways: str,
        *,
        counts: bool | str,
    ) -> None:
        self.names = [f"R{number}" for number in range(runs, 0, -1)]
        self.at_first = set(self.names)
        self._size, self._arriving, self._ways, self._counts = size, arriving, ways, counts
        self._next = runs
        self.reads = 0

    def get(self, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        if self.reads and self.reads <= len(self._arriving):
            for _ in range(self._arriving[self.reads - 1]):
                self._next += 1
                self.names.insert(0, f"R{self._next}")
        self.reads += 1
        page = int(query["page"])
        last = max(-(-len(self.names) // self._size), 1)
        if self._ways == "ignored":
            page = 1
        if page > last and self._ways == "404":
            return Answered(404, json={"status_code": 404, "message": "Invalid page."})
        if self._ways == "clamped":
            page = min(page, last)
        shown = self.names[(page - 1) * self._size : page * self._size]
        data = [{"run_id": name, "task_id": name} for name in shown]
        told = {"nothing": 0, "one": 1, "page": len(shown)}.get(str(self._counts), len(self.names))
        counted = {"count": told} if self._counts else {}
        return Answered(200, json={"status_code": 200, "data": data, **counted})


servers = st.builds(
    Server,
    st.integers(0, 40),
    st.integers(1, 12),
    st.lists(st.integers(0, 13), max_size=12),
    st.sampled_from(["", "", "404", "clamped", "ignored"]),
    counts=st.booleans(),
)


@settings(max_examples=500)
@given(servers, st.booleans())
def test_a_list_is_read_whole_or_not_at_all(server: Server, of_tasks: bool):
    reader = SpaceReader("SPACE", server.get)
    try:
        if of_tasks:
            tasks, growing = reader.tasks("R", whole=lambda _: True)
            if growing:
                return
            found = {one.task_id for one in tasks}
        else:
            found = {one.run_id for page in reader.runs() for one in page}
    except Unreadable:
        return
    assert server.at_first <= found


@given(st.integers(0, 40), st.integers(1, 12), st.sampled_from(["", "404", "clamped"]))
def test_a_list_that_is_counted_and_rests_is_read_with_two_pages_too_many_at_most(
    runs: int, size: int, ways: str
):
    server = Server(runs, size, [], ways, counts=True)
    found = [one.run_id for page in SpaceReader("SPACE", server.get).runs() for one in page]
    assert found == server.names
    assert server.reads <= max(-(-runs // size), 1) + 2


@pytest.mark.parametrize("counts", ["nothing", "one", "page", False])
@given(st.integers(1, 40), st.integers(1, 12), st.sampled_from(["", "404"]))
def test_a_list_is_read_to_its_end_whatever_it_says_of_its_length(
    counts: str | bool, runs: int, size: int, ways: str
):
    server = Server(runs, size, [], ways, counts=counts)
    found = [one.run_id for page in SpaceReader("SPACE", server.get).runs() for one in page]
    assert found == server.names


def test_pages_that_shift_by_a_whole_page_are_read_on():
    server = Server(40, 10, [10, 0, 10, 0, 0], "", counts=False)
    found = {one.run_id for page in SpaceReader("SPACE", server.get).runs() for one in page}
    assert server.at_first <= found


def test_a_list_that_ends_before_its_count_is_not_believed():
    page = Answered(200, json={"status_code": 200, "count": 3, "data": [{"run_id": "R1"}]})
    end = Answered(200, json={"status_code": 200, "count": 3, "data": []})
    pages = iter([page, end, page, end])
    with pytest.raises(Unreadable, match="ends after 1 of 3"):
        list(SpaceReader("SPACE", lambda *_: next(pages)).runs())


def test_a_run_that_counts_more_tasks_than_it_lists_is_growing():
    rows = [{"task_id": f"T{n}", "input": {"document_id": f"d{n}"}} for n in range(3)]

    def get(path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        shown = rows if query["page"] == 1 else []
        return Answered(200, json={"status_code": 200, "count": 7, "data": shown})

    reader = SpaceReader("SPACE", get)
    tasks, growing = reader.tasks("R", whole=lambda _: True)
    assert (len(tasks), growing) == (3, True)
    tasks, growing = reader.tasks("R", whole=lambda _: True, enough=3)
    assert (len(tasks), growing) == (3, False)


def test_tasks_that_the_platform_made_are_not_listed_as_tasks_of_a_request():
    rows = [
        {"task_id": "T2", "input": {"document_id": "a"}, "output": {"referenced_task": "T1"}},
        {"task_id": "T1", "input": {"document_id": "a"}, "output": {}},
    ]
    page = Answered(200, json={"status_code": 200, "count": 2, "data": rows})
    end = Answered(200, json={"status_code": 200, "count": 2, "data": []})
    pages = iter([page, end])
    tasks, growing = SpaceReader("S", lambda *_: next(pages)).tasks("R", whole=lambda _: True)
    assert ([task.task_id for task in tasks], growing) == (["T1"], False)
