"""What is read of an answer is bounded in work and memory, and never names a path of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from callspool_worker.api.accounts import Access
from callspool_worker.decisions.answers import Answered, code_of, is_id
from callspool_worker.decisions.wording import words_of
from callspool_worker.proving.api_lists import MOST_ENTRIES, SpaceReader, Unreadable
from callspool_worker.proving.look_clock import ClockMemory, LookClock
from callspool_worker.proving.records import LONGEST_NAME, Question, RunSeen, run_seen, task_seen
from callspool_worker.proving.run_reader import RunMemory, RunReader
from tests.worker.api.conftest import TOKEN, FakeAccount, Hidden


class Endless(dict[str, object]):
    """An object that counts how many of its fields are looked at."""

    looked_at = 0

    def items(self) -> Iterator[tuple[str, object]]:  # type: ignore[override]
        for each in super().items():
            Endless.looked_at += 1
            yield each


def test_an_answer_of_many_errors_without_words_is_not_searched_to_its_end() -> None:
    fields = Endless((f"{'x' * 1000}{number}", None) for number in range(20_000))
    words = words_of(Answered(400, json={"errors": {"k" * 1_000_000: fields}}))
    assert words == "HTTP 400 without a readable answer"
    assert Endless.looked_at <= 1001


@pytest.mark.parametrize("errors", [{"a" * 10**6: {"b": ["no"]}}, [{"loc": ["x" * 10**6] * 99}]])
def test_a_path_to_an_error_is_not_told_without_end(errors: object) -> None:
    assert len(words_of(Answered(400, json={"errors": errors}))) <= 500


def endless(path: str, size: int) -> SpaceReader:
    """A reader of a list whose every page holds so many entries that were never seen."""
    numbers = iter(range(10**9))

    def get(_: tuple[str, ...], query: Mapping[str, str | int]) -> Answered:
        del query
        data = [{path: f"X{next(numbers)}", "ref_id": "crm-1"} for _ in range(size)]
        return Answered(200, json={"status_code": 200, "data": data})

    return SpaceReader("SPACE", get)


@pytest.mark.parametrize("size", [100, 30_000])
def test_a_list_without_end_is_unreadable(size: int) -> None:
    with pytest.raises(Unreadable, match="more than"):
        endless("task_id", size).tasks("R1", whole=lambda _: True)
    with pytest.raises(Unreadable, match="more than"):
        assert sum(map(len, endless("run_id", size).runs())) <= MOST_ENTRIES


def test_runs_without_end_of_tasks_are_unreadable() -> None:
    class Reader(SpaceReader):
        def runs(self) -> Iterator[list[RunSeen]]:
            yield [RunSeen(f"R{n}", None, zoned=False, batch_count=None) for n in range(20)]

    tasks = endless("task_id", 40_000)
    reader = Reader("SPACE", tasks._get)
    question = Question(
        batch=1, attempt=1, seal="", lane_id="", places={"crm-2": 0}, open=frozenset({0}),
        mark=None, run_id=None, answered=True, sent_ms=0, since_ms=0, tries=1, size=1,
    )  # fmt: skip
    runs = RunMemory()
    survey = RunReader(reader, [question], {}, runs, LookClock(ClockMemory(), {}), lambda: 0.0)
    with pytest.raises(Unreadable, match="500,000 tasks"):
        survey.read()


def test_a_broken_page_of_people_is_not_quoted() -> None:
    page = b'{"data":[{"input":{"name":"Ada Lovelace","contact_number":"+14155550123"'
    reader = SpaceReader("SPACE", lambda *_: Answered(200, body=page))
    with pytest.raises(Unreadable) as told:
        list(reader.runs())
    assert "Ada" not in str(told.value)


@pytest.mark.parametrize(
    "step", [".", "..", "../..", "a/b", "a?b", "a#b", "%2e%2e", "\r\nX: y", "ü"]
)
def test_no_step_of_a_path_leads_elsewhere(step: str) -> None:
    access = Access("default", FakeAccount("https://unpod.test"))
    raw = access.target(("spaces", step, "runs")).path.decode()
    head, tail = "/api/v2/platform/spaces/", "/runs/"
    assert raw.startswith(head)
    assert raw.endswith(tail)
    middle = raw.removeprefix(head).removesuffix(tail)
    assert not set(middle) & set("/?#\r\n ")
    assert middle not in {".", ".."}
    assert httpx.URL(f"https://unpod.test{raw}").host == "unpod.test"


@pytest.mark.parametrize("name", [".", "..", "", "a\nb", "x" * 201, 7, None])
def test_what_cannot_be_a_step_of_a_path_is_no_id(name: Any) -> None:
    assert not is_id(name)
    assert run_seen({"run_id": name}) is None


def test_names_and_numbers_of_any_size_are_kept_small() -> None:
    seen = task_seen({"task_id": "T1", "ref_id": "x" * 10**6})
    assert seen is not None
    assert len(seen.document_id or "") == LONGEST_NAME
    seen = task_seen({"task_id": "T1", "ref_id": 10**4000})
    assert seen is not None
    assert len(seen.document_id or "") == LONGEST_NAME
    run = run_seen({"run_id": "R1", "batch_count": 10**4000, "created": "2" * 10**6})
    assert run is not None
    assert (run.batch_count, run.created) == (None, None)
    assert code_of(Answered(200, json={"status_code": 10**4000})) == 0


def test_a_token_or_org_handle_cannot_add_a_header() -> None:
    for text in ("tok\r\nX: y", "tok\nX: y", "two words", "tök", ""):
        with pytest.raises(Exception, match="set it again"):
            Access("default", FakeAccount("https://unpod.test", api_token=Hidden(text)))
        with pytest.raises(Exception, match="set it again"):
            Access("default", FakeAccount("https://unpod.test", org_handle=text))
    headers = Access("default", FakeAccount("https://unpod.test")).headers(TOKEN)
    assert all(b"\n" not in line and b"\r" not in line for line in headers)
