"""How the ledger stands, in doctor's lines: few of them, each as grave as it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callspool_ledger.reads.lanes import OneDocumentLanes
from callspool_ledger.reads.snapshot import AccountLimit
from callspool_ledger.reads.views import GateView, LedgerSummary
from callspool_ledger.selectors import Selector
from callspool_operators.doctor import worst
from callspool_operators.doctor.standing import LedgerStanding, examine_ledger


def lines(waiting: set[str], limits: list[AccountLimit]) -> list[str]:
    summary = LedgerSummary({}, {}, 0, {}, waiting_accounts=waiting)
    found = LedgerStanding([1, 1, 1], summary, OneDocumentLanes(0, 0, 0), 0, "", limits)
    return [f"{each.said} {each.remedy}" for each in examine_ledger(found, (1, 1, 1), {"default"})]


def test_twenty_thousand_accounts_take_a_few_lines():
    told = lines({f"made-up-{n}" for n in range(20_000)}, [])
    assert sum("not set up here" in line for line in told) == 10
    assert any("19,990 more such accounts" in line for line in told)


def test_a_long_rest_is_told_with_the_command_that_ends_it():
    told = lines(set(), [AccountLimit("default", 4, 0, 400.0), AccountLimit("brief", 4, 0, 2.0)])
    (line,) = [line for line in told if "rest" in line]
    assert "400 s more" in line
    assert "callspool resume --account default" in line


@pytest.mark.parametrize(
    ("kind", "selector", "code"),
    [
        ("parked", Selector("default"), 2),
        ("parked", Selector("default", "8KZTOKEN"), 2),
        ("paused", Selector("default"), 0),
    ],
)
def test_what_the_api_keeps_from_being_sent_is_a_problem_and_a_pause_is_not(
    kind: str, selector: Selector, code: int
):
    gate = GateView("", selector, kind, "no", "401", datetime(2026, 11, 22, tzinfo=UTC))
    summary = LedgerSummary({}, {}, 0, {}, [gate], workers={"me"})
    found = LedgerStanding([1, 1, 1], summary, OneDocumentLanes(0, 0, 0), 0)
    findings = list(examine_ledger(found, (1, 1, 1), {"default"}))
    assert worst(findings) == code
    assert {each.check for each in findings if each.health != "ok"} == {kind}
