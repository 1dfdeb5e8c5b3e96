"""The decision table, line by line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callspool_worker.decisions.answers import Answer, Answered, NoAnswer, NotSent
from callspool_worker.decisions.decide import (
    AttemptView,
    Bury,
    Created,
    Decision,
    InDoubt,
    Isolate,
    Outcome,
    Park,
    Retry,
    Throttle,
    after_missing,
    decide,
    label,
)
from tests.worker.decisions.replies import creation, error, page, said

THREE = AttemptView(documents=3, tries=0, max_attempts=8)
ALONE = replace(THREE, documents=1)
SPENT = replace(THREE, tries=7)
IDS = ["T1", "T2", "T3"]
FIELDS = "There is some Validation error"


NOTHING = "without a readable answer"
ADDRESS = "is this the API's address? see CALLSPOOL_API_URL"

Row = tuple[str, Answer, Decision]


def doubt(outcome: Outcome, detail: str, run_id: str | None = None, *, answered: bool) -> InDoubt:
    return InDoubt(outcome, run_id, answered, detail)


CREATED: list[Row] = [
    ("one id a document", creation(ids=IDS), Created("R1", ("T1", "T2", "T3"))),
    ("status as an object", said(200, {"data": {"run_id": "R1", "task_ids": IDS, "status": {}}}),
     Created("R1", ("T1", "T2", "T3"))),
    ("no status_code", said(200, {"data": {"run_id": "R1", "task_ids": IDS}}),
     Created("R1", ("T1", "T2", "T3"))),
    ("no envelope", said(200, {"run_id": "R1", "task_ids": IDS}),
     Created("R1", ("T1", "T2", "T3"))),
    ("no run, but every id", creation(ids=IDS, run_id=None), Created("", ("T1", "T2", "T3"))),
    ("206 with every id", creation(206, IDS), Created("R1", ("T1", "T2", "T3"))),
    ("201 with every id", creation(201, IDS), Created("R1", ("T1", "T2", "T3"))),
]  # fmt: skip

PARTIAL: list[tuple[str, Answered]] = [
    ("fewer ids", creation(ids=IDS[:2])),
    ("more ids", creation(ids=[*IDS, "T4"])),
    ("the same id twice", creation(ids=["T1", "T2", "T2"])),
    ("an empty id", creation(ids=["T1", "T2", ""])),
    ("an id that is no text", creation(ids=["T1", "T2", 3])),
    ("an id with a line break", creation(ids=["T1", "T2", "T\n3"])),
    ("an endless id", creation(ids=["T1", "T2", "T" * 201])),
    ("ids that are no list", creation(ids="T1,T2,T3")),
    ("no ids, but a run", creation(ids=None)),
    ("206 with some", creation(206, IDS[:1])),
    ("a list without ids, but a run", creation(ids=[])),
]

NO_ANSWER: list[Row] = [
    ("not JSON", page(200, "<h1>Welcome</h1>"), doubt("no_answer", "Welcome", answered=False)),
    ("JSON, but no object", said(200, IDS), doubt("no_answer", '["T1","T2","T3"]', answered=False)),
    ("nothing", page(200, ""),
     doubt("no_answer", "HTTP 200 without a readable answer", answered=False)),
    ("no ids", error(200, "Done"), doubt("no_answer", "Done", answered=True)),
    ("206 that is not JSON", page(206, "?"), doubt("no_answer", "?", answered=False)),
    ("202", error(202, "Accepted"), doubt("no_answer", "Accepted", answered=True)),
    ("303", page(303, "See other"), doubt("no_answer", "See other", answered=False)),
    ("packed", Answered(200, packed="br", content_type="text/html"),
     doubt("no_answer", "HTTP 200 packed as br, which nobody asked for", answered=False)),
    ("JSON, packed", Answered(200, packed="br", content_type="application/json"),
     doubt("no_answer", "HTTP 200 packed as br, which nobody asked for", answered=True)),
    ("101", page(101, ""), doubt("no_answer", f"HTTP 101 {NOTHING}", answered=False)),
    *[(str(code), page(code, "x"), doubt("no_answer", "x", answered=False))
      for code in (402, 406, 407, 408, 409, 410, 411, 418, 423, 425, 426, 428, 431, 451)],
    ("a code that nobody knows", error(200, "hm", code=7), doubt("no_answer", "hm", answered=True)),
]  # fmt: skip

SERVER_ERROR: list[Row] = [
    ("500 of the API", error(500, "Oops"), doubt("server_error", "Oops", answered=True)),
    ("500 as the platform's server has it",
     said(500, {"message": "Task Creation Failed", "errors": "Internal Server Error"}),
     doubt("server_error", "Task Creation Failed; Internal Server Error", answered=True)),
    ("500 with a run", creation(500, None), doubt("server_error", "created", "R1", answered=True)),
    ("500 of a gateway", said(500, {"message": "Internal server error"}),
     doubt("server_error", "Internal server error", answered=False)),
    ("502 as a page", page(502), doubt("server_error", "Bad Gateway", answered=False)),
    *[(f"{code} in JSON", error(code), doubt("server_error", "no", answered=False))
      for code in (502, 503, 504)],
    ("507", error(507), doubt("server_error", "no", answered=True)),
    ("200 that says 500", error(200, "Oops", code=500),
     doubt("server_error", "Oops", answered=True)),
    ("200 that says 500, with ids", creation(200, IDS, code=500),
     doubt("server_error", "created", "R1", answered=True)),
    ("400 that says 500", error(400, "Oops", code=500),
     doubt("server_error", "Oops", answered=True)),
    ("500 that says 400", error(500, "Oops", code=400),
     doubt("server_error", "Oops", answered=True)),
]  # fmt: skip

REJECTED: list[Row] = [
    ("400", error(400, "bad"), Isolate("bad")),
    ("422", error(422, "bad"), Isolate("bad")),
    ("413", page(413, "Request Entity Too Large"), Isolate("Request Entity Too Large")),
    ("400 as a page", page(400, "<p>Bad</p>"), Park("account", f"HTTP 400: Bad; {ADDRESS}")),
    ("422 as a page", page(422, ""), Isolate("HTTP 422 without a readable answer")),
    *[(f"{code} as a page", page(code, "x"), Park("account", f"HTTP {code}: x; {ADDRESS}"))
      for code in (405, 415, 422)],
    ("405 of the API", error(405, "Method not allowed"),
     Park("account", f"HTTP 405: Method not allowed; {ADDRESS}")),
    *[(f"{code} with a place", replace(page(code, "Moved"), location="https://new.example/x/"),
       Park("account", f"the API has moved to https://new.example/x/ (HTTP {code}); set"
            " CALLSPOOL_API_URL, or the account's api_url, to its new address"))
      for code in (301, 302, 307, 308)],
    ("a redirect without a place", page(301, "Moved"),
     Park("account", f"HTTP 301: Moved; {ADDRESS}")),
    ("400 with its words in data.detail",
     said(400, {"status_code": 400, "message": "Error", "data": {"detail": "JSON parse error"}}),
     Isolate("JSON parse error")),
    ("400 with a field in data",
     error(400, "Error", data={"schedule": ["Schedule time is in the past"]}),
     Park("lane", "schedule: Schedule time is in the past")),
    ("422 as the platform's server has it",
     said(422, {"message": "Task Creation Failed", "errors": {"detail": [
         {"loc": ["body", "tasks", 1, "input_data", "name"], "msg": "none is not allowed"}]}}),
     Isolate("Task Creation Failed; body.tasks.1.input_data.name: none is not allowed", (1,))),
    ("200 that says 400", error(200, "bad", code=400), Isolate("bad")),
    ("400 of a document", error(400, FIELDS, errors={"documents": [{"name": ["missing"]}]}),
     Isolate(f"{FIELDS}; documents[0].name: missing")),
    ("422 of an inner service",
     said(422, {"detail": [{"loc": ["body", "documents", 0, "name"], "msg": "missing"}]}),
     Isolate("body.documents.0.name: missing", (0,))),
    ("400 of a field of the request", error(400, FIELDS, errors={"schedule": ["in the past"]}),
     Park("lane", f"{FIELDS}; schedule: in the past")),
    ("206", error(206, "hm"), Retry("rejected", True, None, "hm")),
    ("200 that says 206", error(200, "hm", code=206), Retry("rejected", True, None, "hm")),
    ("206 without words", said(206, {}),
     Retry("rejected", True, None, "HTTP 206 without a readable answer")),
    ("206 of the pilot", error(206, FIELDS, errors={"pilot": ["Invalid"]}),
     Park("lane", f"{FIELDS}; pilot: Invalid")),
    ("206 of the context", error(206, FIELDS, errors={"context": ["Required"]}),
     Park("lane", f"{FIELDS}; context: Required")),
    ("206 of the space token", error(206, "Invalid Space Token"),
     Park("lane", "Invalid Space Token")),
    ("206 of access", error(206, "You Don't have Access to this Space"),
     Park("space", "You Don't have Access to this Space")),
    ("206 of the org handle", error(206, "Org-Handle header is missing"),
     Park("account", "Org-Handle header is missing")),
    ("401", error(401, "Invalid token."), Park("account", "Invalid token.")),
    ("403", error(403, "Forbidden"), Park("space", "Forbidden")),
    ("404", error(404, "Not found."), Park("lane", "Not found.")),
    ("404 as a page", page(404, "404"), Park("lane", "404")),
    ("200 that says 401", error(200, "Invalid token.", code=401),
     Park("account", "Invalid token.")),
    ("200 that says 401 as text", error(200, "Invalid token.", code="401"),
     Park("account", "Invalid token.")),
    ("206 that says 403", error(206, "no", code=403), Park("space", "no")),
]  # fmt: skip

NOT_SENT: list[Row] = [
    ("refused", NotSent("refused", "connect"), Retry("not_sent", False, None, "refused")),
    ("withheld", NotSent("late", "withheld"), Retry("not_sent", False, None, "late")),
    ("timeout", NoAnswer("late", "timeout"), doubt("no_answer", "late", answered=False)),
    ("reset", NoAnswer("gone", "reset"), doubt("no_answer", "gone", answered=False)),
    ("429", error(429, "slow", data={}), Throttle(None)),
    ("429 with a wait", replace(page(429), retry_after=17.0), Throttle(17.0)),
    ("200 that says 429", replace(error(200, code=429), retry_after=3.0), Throttle(3.0)),
]


TABLE = [*CREATED, *NO_ANSWER, *SERVER_ERROR, *REJECTED, *NOT_SENT]


@pytest.mark.parametrize(("name", "answer", "decision"), TABLE, ids=[row[0] for row in TABLE])
def test_each_answer_has_its_decision(name: str, answer: Answer, decision: Decision) -> None:
    assert decide(answer, THREE) == decision


@pytest.mark.parametrize("answer", [pytest.param(a, id=name) for name, a in PARTIAL])
def test_ids_that_do_not_match_leave_the_batch_in_doubt_within_its_run(answer: Answered) -> None:
    assert decide(answer, THREE) == InDoubt("partial", "R1", True, "created")


@pytest.mark.parametrize("run_id", ["", "R\n1", "R" * 201, 7, ["R1"]])
def test_a_run_id_that_cannot_be_one_is_not_kept(run_id: object) -> None:
    assert decide(creation(ids=IDS, run_id=run_id), THREE) == Created("", tuple(IDS))
    partial = decide(creation(ids=IDS[:1], run_id=run_id), THREE)
    assert partial == InDoubt("partial", None, True, "created")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429])
def test_a_rejection_that_names_a_run_is_not_believed(status: int) -> None:
    assert decide(creation(status, None), THREE) == InDoubt("partial", "R1", True, "created")


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (error(400, "bad"), Bury("bad")),
        (error(422, "bad"), Bury("bad")),
        (page(413, "too large"), Bury("too large", True)),
        (error(413, "the schedule is too large"), Bury("the schedule is too large", True)),
        (error(206, "hm"), Retry("rejected", True, None, "hm")),
        (error(404, "gone"), Park("lane", "gone")),
    ],
)
def test_a_document_that_is_rejected_alone_is_dead(answer: Answered, decision: Decision) -> None:
    assert decide(answer, ALONE) == decision


def test_a_206_is_tried_a_few_times_and_then_isolated() -> None:
    decisions = [decide(error(206, "hm"), replace(THREE, tries=tries)) for tries in range(5)]
    again = Retry("rejected", True, None, "hm")
    assert decisions == [again, again, again, Isolate("hm"), Isolate("hm")]
    assert decide(error(206, "hm"), replace(ALONE, tries=3)) == Bury("hm")


def test_the_last_try_is_not_spent_on_a_206() -> None:
    assert decide(error(206, "hm"), replace(THREE, max_attempts=1)) == Isolate("hm")
    assert decide(error(206, "hm"), replace(THREE, tries=1, max_attempts=2)) == Isolate("hm")


def test_a_206_that_asks_for_a_wait_gets_it() -> None:
    answer = replace(error(206, "hm"), retry_after=9.0)
    assert decide(answer, THREE) == Retry("rejected", True, 9.0, "hm")


def test_documents_that_all_fail_alike_park_their_lane() -> None:
    counted = [decide(error(400, "bad"), replace(ALONE, refused_alone=n)) for n in range(5)]
    assert counted == [Bury("bad")] * 3 + [Park("lane", "bad")] * 2
    assert decide(page(413, "big"), replace(ALONE, refused_alone=9)) == Bury("big", True)


def test_an_answer_before_the_request_was_complete_proves_that_nothing_was_created() -> None:
    early = replace(page(503), request_complete=False, retry_after=5.0)
    assert decide(early, SPENT) == Retry("server_error", False, 5.0, "Bad Gateway")
    early = replace(page(408, "Request Time-out"), request_complete=False)
    assert decide(early, SPENT) == Retry("no_answer", False, None, "Request Time-out")


@pytest.mark.parametrize("early", [creation(ids=IDS), creation(500, IDS), creation(400, IDS)])
def test_an_answer_before_the_request_was_complete_that_tells_a_creation_is_anothers(
    early: Answered,
) -> None:
    decision = decide(replace(early, request_complete=False), THREE)
    assert isinstance(decision, Retry)
    assert (decision.outcome, decision.costs_try) == ("not_sent", False)
    assert "another one" in decision.detail


def test_what_is_proven_missing_is_sent_again_until_its_tries_are_used_up() -> None:
    found = [after_missing(replace(THREE, tries=n), "no_answer", "late") for n in range(6, 9)]
    again = Retry("no_answer", costs_try=True, retry_after=None, detail="late")
    assert found == [again, Isolate("late"), Isolate("late")]
    assert after_missing(replace(ALONE, tries=7), "no_answer", "late") == Bury("late")


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        (creation(ids=IDS), ("created", "200")),
        (creation(ids=IDS[:1]), ("partial", "200")),
        (error(206), ("rejected", "206")),
        (error(200, code=206), ("rejected", "206")),
        (error(401), ("rejected", "401")),
        (error(429), ("throttled", "429")),
        (error(500), ("server_error", "500")),
        (error(200, code=502), ("server_error", "502")),
        (error(200, code=99999), ("no_answer", "")),
        (page(302), ("rejected", "302")),
        (page(303), ("no_answer", "303")),
        (NoAnswer("late", "timeout"), ("no_answer", "")),
        (NotSent("refused"), ("not_sent", "")),
    ],
)
def test_labels_are_outcome_and_the_code_that_counts(
    answer: Answer, labels: tuple[str, str]
) -> None:
    assert label(answer, decide(answer, THREE)) == labels
