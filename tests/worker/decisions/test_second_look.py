"""A look at a space after a refusal, as a pure function of what was listed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callspool_worker.decisions.answers import Answered, NoAnswer
from callspool_worker.decisions.second_look import (
    SLACK,
    Ours,
    Span,
    Suspects,
    examine_runs,
    examine_tasks,
    made_at,
    read_tasks,
)
from tests.worker.decisions.replies import said

SEED = "R74802366fe9011f0878d43cd8a99e069"
AT = 1769855683.0
"""When the run of the API's own example was made."""

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["run_id", "batch_count", "input", "ref_id", "data", "count"]), inner
        )
    ),
    max_leaves=20,
)


def runs(*rows: dict[str, object], count: int | None = None) -> Answered:
    listed = len(rows) if count is None else count
    return said(200, {"count": listed, "status_code": 200, "data": list(rows)})


def test_the_time_of_an_id_is_the_one_that_it_was_made_at() -> None:
    moment = made_at(SEED)
    assert moment is not None
    assert abs(moment - AT) < 1
    assert made_at("R1") is made_at("R" + "0" * 32) is None


def test_a_run_of_as_many_documents_made_since_is_a_suspect() -> None:
    listed = runs({"run_id": SEED, "batch_count": 3})
    assert examine_runs(listed, documents=3, span=Span(AT - SLACK)) == Suspects((SEED,))
    assert examine_runs(listed, documents=4, span=Span(AT - SLACK)) is None
    assert examine_runs(listed, documents=3, span=Span(AT + 3600 - SLACK)) is None
    assert examine_runs(listed, documents=3, span=Span(None)) == Suspects((SEED,))


def test_a_list_that_may_go_on_leaves_a_doubt() -> None:
    listed = runs({"run_id": SEED, "batch_count": 9}, count=2)
    assert examine_runs(listed, documents=3, span=Span(AT - SLACK)) == Ours()
    assert examine_runs(listed, documents=3, span=Span(AT + 3600 - SLACK)) is None
    assert examine_runs(NoAnswer("late", "timeout"), documents=3, span=Span(AT - SLACK)) == Ours()


def test_a_task_tells_by_its_mark_whose_it_is_and_by_its_document_where_it_has_none() -> None:
    def task(**given: object) -> Answered:
        return said(200, {"status_code": 200, "data": [{"task_id": "T1", "input": given}]})

    own = task(document_id="a", callspool_attempt="w1")
    assert examine_tasks(read_tasks(own), "R1", word="w1", ids=["a"], documents=1) == Ours("R1")
    assert examine_tasks(read_tasks(own), "R1", word="w2", ids=["a"], documents=1) is None
    assert (
        examine_tasks(read_tasks(task(document_id="a")), "R1", word="w1", ids=["a"], documents=1)
        == Ours()
    )
    assert (
        examine_tasks(read_tasks(task(document_id="b")), "R1", word="w1", ids=["a"], documents=1)
        is None
    )
    none = said(200, {"status_code": 200, "data": []})
    assert examine_tasks(read_tasks(none), "R1", word="w1", ids=["a"], documents=1) == Ours()


def test_where_no_task_is_marked_those_shown_may_be_what_left_the_batch_since() -> None:
    shown = [{"task_id": f"T{at}", "input": {"document_id": f"d{at}"}} for at in range(2)]
    read = read_tasks(said(200, {"status_code": 200, "data": shown}))
    assert examine_tasks(read, "R1", word=None, ids=["d2", "d3"], documents=4) == Ours()
    assert examine_tasks(read, "R1", word=None, ids=["e0", "e1", "e2", "e3"], documents=4) is None
    assert examine_tasks(read, "R1", word=None, ids=["e1"], documents=2) is None


@given(ANYTHING, st.none() | st.floats(0, 2e9))
def test_whatever_is_listed_a_look_comes_to_an_end(body: object, since: float | None) -> None:
    for listed in (said(200, body), said(200, {"status_code": 200, "data": body})):
        found = examine_runs(listed, documents=3, span=Span(since))
        assert found is None or isinstance(found, Ours | Suspects)
        examine_tasks(read_tasks(listed), "R1", word="w1", ids=["a"], documents=1)
