"""The report of a run: the same numbers for scripts and for people."""

from datetime import UTC, datetime

import msgspec
import pytest

from callspool_ledger.reads.views import GateView
from callspool_ledger.selectors import Selector
from callspool_operators.terminal.report import NotCreated, Report, gate_lines

WHOLE = Report(
    documents={
        "read": 12,
        "accepted": 9,
        "earlier": 4,
        "duplicate": 2,
        "invalid": 1,
        "created": 8,
        "dead": 1,
    },
    submissions={"created": 3, "rejected": 2},
    runs=3,
    seconds=4.0,
    invalid_reasons={"contact_number: must not be blank": 1},
    not_created=[NotCreated("dead", "no such number", 1)],
    handed_over=1,
    handed_over_since=datetime(2026, 11, 1, 12, tzinfo=UTC),
    where="--state-dir /tmp/x",
)


def test_scripts_get_every_count_in_one_order() -> None:
    assert msgspec.json.encode(WHOLE.to_json()).decode() == (
        '{"documents":{"read":12,"accepted":9,"earlier":4,"duplicate":2,"invalid":1,"conflict":0,'
        '"suppressed":0,"waiting":0,"sending":0,"in_doubt":0,"created":8,"dead":1,"cancelled":0,"expired":0},'
        '"submissions":{"created":3,"partial":0,"rejected":2,"throttled":0,"server_error":0,'
        '"no_answer":0,"not_sent":0},"outcomes":{"open":0,"reached":0,"not_reached":0,"failed":0,'
        '"ended":0,"lost_sight":0},"runs":3,"seconds":4.0,"documents_per_second":2.0}'
    )


def test_people_read_what_was_not_created_and_why() -> None:
    text = "\n".join(WHOLE.lines())
    assert "12 rows: 9 accepted, 2 duplicate, 1 invalid" in text
    assert "1 invalid: contact_number: must not be blank" in text
    assert "9 documents: 8 created, 1 dead in 4.0 s (2 a second)" in text
    assert "1 dead: no such number" in text
    assert "create-calls: 3 created, 2 rejected; 3 runs" in text
    assert "callspool show DOCUMENT_ID --state-dir /tmp/x" in text


def test_what_earlier_runs_did_is_told_as_it_was() -> None:
    text = "\n".join(WHOLE.lines())
    assert "  4 waited from an earlier run, taken up now; 5 new\n" in text
    assert "  1 handed over before (the first 2026-11-01" in text
    assert "not called again; another --campaign calls them again\n" in text
    assert "  1 duplicate in the files: each contact is called once\n" in text


def test_a_second_run_of_the_same_file_says_that_there_is_nothing_new() -> None:
    report = Report(documents={"read": 5, "duplicate": 5})
    assert "Nothing new to send." in report.lines()
    assert report.exit_code() == 0


def test_what_waits_says_why_and_how_to_go_on() -> None:
    gate = GateView(
        "account:default", Selector("default"), "parked", "Invalid token.", "401", datetime.now(UTC)
    )
    report = Report(
        documents={"read": 3, "accepted": 3, "waiting": 3},
        gates=[gate],
        again="callspool run c.csv",
    )
    text = "\n".join(report.lines())
    many = gate_lines([gate] * 20_000)
    assert len(many) < 100
    assert many[-1] == "19,950 more are parked or paused: callspool lanes"
    assert "account default: Invalid token. (401)" in text
    assert "To go on with 3 documents: callspool run c.csv" in text
    assert report.exit_code() == 1


@pytest.mark.parametrize(
    ("documents", "strict", "code"),
    [
        ({"read": 2, "accepted": 2, "created": 2}, True, 0),
        ({"read": 3, "accepted": 2, "created": 2, "invalid": 1}, False, 0),
        ({"read": 3, "accepted": 2, "created": 2, "invalid": 1}, True, 1),
        ({"read": 2, "accepted": 2, "created": 1, "in_doubt": 1}, False, 1),
        ({"read": 0}, True, 0),
    ],
)
def test_the_exit_code_says_whether_all_accepted_documents_are_created(
    documents: dict[str, int], strict: bool, code: int
) -> None:
    assert Report(documents=documents).exit_code(strict=strict) == code
