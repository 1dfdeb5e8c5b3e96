"""What must hold for any answer whatever."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callspool_worker import decisions
from callspool_worker.decisions.answers import Answered, NoAnswer, NotSent
from callspool_worker.decisions.decide import (
    AttemptView,
    Bury,
    Created,
    InDoubt,
    Isolate,
    Park,
    Retry,
    Throttle,
    decide,
    label,
)

calmly = settings(deadline=None, max_examples=300)

CODES = st.sampled_from([200, 206, 400, 401, 404, 413, 422, 429, 500, 502]) | st.integers()
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
IDS = st.lists(st.sampled_from(["T1", "T2", "T3", ""]), max_size=4) | ANYTHING
DATA = st.fixed_dictionaries(
    {}, optional={"run_id": st.just("R1") | ANYTHING, "task_ids": IDS, "x": ANYTHING}
)
FAULTS = st.dictionaries(st.sampled_from(["pilot", "documents", "context", "x"]), ANYTHING)
BODIES = ANYTHING | st.fixed_dictionaries(
    {},
    optional={
        "status_code": CODES | ANYTHING,
        "message": st.text() | ANYTHING,
        "data": DATA | ANYTHING,
        "errors": FAULTS | ANYTHING,
        "detail": ANYTHING,
    },
)
ANSWERED = st.builds(
    Answered,
    status=st.integers(100, 599) | CODES,
    body=st.binary(max_size=60),
    json=BODIES,
    retry_after=st.none() | st.floats(0, 1e6),
    request_complete=st.booleans(),
)
ANSWERS = st.one_of(
    ANSWERED,
    st.builds(NotSent, st.text()),
    st.builds(NoAnswer, st.text(), st.just("timeout")),
)
ATTEMPTS = st.builds(
    AttemptView,
    documents=st.integers(1, 4),
    tries=st.integers(0, 12),
    max_attempts=st.integers(1, 10),
    refused_alone=st.integers(0, 5),
)


def stated(answer: Answered) -> object:
    return answer.json.get("status_code") if isinstance(answer.json, dict) else None


def data_of(answer: Answered) -> dict[str, object]:
    data = answer.json.get("data") if isinstance(answer.json, dict) else None
    return data if isinstance(data, dict) else {}


@calmly
@given(ANSWERS, ATTEMPTS)
def test_every_answer_leads_to_a_decision(
    answer: Answered | NotSent | NoAnswer, attempt: AttemptView
) -> None:
    decision = decide(answer, attempt)
    outcome, code = label(answer, decision)
    assert outcome == decision.outcome
    assert code == "" or 100 <= int(code) < 600
    if isinstance(answer, Answered) and not isinstance(decision, Created | Throttle):
        assert len(decision.detail) <= 500
        assert decision.detail.isprintable()


@calmly
@given(ANSWERED, ATTEMPTS)
def test_what_may_have_been_created_is_never_sent_again_unproven(
    answer: Answered, attempt: AttemptView
) -> None:
    decision = decide(answer, attempt)
    if isinstance(decision, Created | InDoubt):
        return
    if answer.request_complete:
        data = data_of(answer)
        assert not data.get("run_id")
        assert not data.get("task_ids")
        refusing = {206, 301, 302, 307, 308, 400, 401, 403, 404, 405, 413, 415, 422, 429}
        assert answer.status in refusing or (
            200 <= answer.status < 300 and stated(answer) in refusing | {str(c) for c in refusing}
        )
        assert stated(answer) not in range(500, 600)


@calmly
@given(ANSWERED, ATTEMPTS)
def test_created_means_an_id_for_each_document_and_no_id_twice(
    answer: Answered, attempt: AttemptView
) -> None:
    decision = decide(answer, attempt)
    if isinstance(decision, Created):
        assert 200 <= answer.status < 300
        assert answer.request_complete
        assert len(set(decision.task_ids)) == len(decision.task_ids) == attempt.documents
        assert all(decision.task_ids)


@calmly
@given(ANSWERS, ATTEMPTS)
def test_more_tries_never_make_a_decision_more_patient(
    answer: Answered | NotSent | NoAnswer, attempt: AttemptView
) -> None:
    def finality(tries: int) -> int:
        return isinstance(decide(answer, replace(attempt, tries=tries)), Isolate | Bury | Park)

    steps = [finality(tries) for tries in range(12)]
    assert steps == sorted(steps)


@calmly
@given(ANSWERS, ATTEMPTS)
def test_only_lone_documents_die_and_only_batches_are_split(
    answer: Answered | NotSent | NoAnswer, attempt: AttemptView
) -> None:
    decision = decide(answer, attempt)
    if isinstance(decision, Bury):
        assert attempt.documents == 1
    if isinstance(decision, Isolate):
        assert attempt.documents > 1
    if isinstance(decision, Retry) and decision.costs_try:
        assert attempt.tries + 1 < attempt.max_attempts


@pytest.mark.parametrize("module", ["answers", "decide", "leases", "wording"])
def test_the_pure_modules_know_no_clock_no_network_and_no_chance(module: str) -> None:
    file = Path(decisions.__file__).with_name(f"{module}.py")
    imported: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    assert imported <= {
        "__future__", "callspool_worker", "collections", "dataclasses", "itertools", "re", "typing",
    }  # fmt: skip
