"""Labels are of a bounded number, and hold nobody's number."""

from __future__ import annotations

from collections import Counter

from callspool_ledger.reads.snapshot import Snapshot
from callspool_worker.metrics.definitions import code_label
from callspool_worker.metrics.samples import MOST_ACCOUNTS, Accounts, samples_of

MANY = [f"account-{each}" for each in range(200)]


def test_accounts_that_come_late_take_no_series_away_from_others():
    since = {name: 1000 + each for each, name in enumerate(MANY)}
    before = Accounts(MANY[:60], since)
    after = Accounts([*MANY, "default"], {**since, "default": 99_999})
    shown = [name for name in MANY[:60] if before.label(name) == name]
    assert len(shown) == MOST_ACCOUNTS
    assert [name for name in MANY if after.label(name) == name] == shown[:-1]
    assert after.label("default") == "default"
    assert after.label(MANY[-1]) == "other"


def test_a_name_that_may_be_a_number_and_what_is_no_name_have_no_series():
    names = ["14155550123", "crm-4155550123", "+14155550123", "Sales", "sales", "plan-2026"]
    accounts = Accounts(names, {})
    assert [accounts.label(name) for name in names] == [
        "other",
        "other",
        "other",
        "other",
        "sales",
        "plan-2026",
    ]


def test_what_has_no_series_of_its_own_is_added_up():
    counts = Counter({(name, state): 1 for name in MANY for state in ("accepted", "waiting")})
    oldest = {("waiting", name): float(each) for each, name in enumerate(MANY)}
    snapshot = Snapshot(counts=counts, oldest=oldest)
    samples = samples_of(snapshot, max_waiting=1)
    states = samples["callspool_documents"]
    assert sum(number for number in states.values() if isinstance(number, int)) == len(MANY)
    assert states["waiting", "other"] == len(MANY) - MOST_ACCOUNTS + 1  # `default` is always there
    assert samples["callspool_oldest_waiting_seconds"]["other",] == 199
    assert set(samples["callspool_unaccounted_documents"].values()) == {0}


def test_codes_are_those_of_http_and_a_few_words():
    assert [code_label(code) for code in ("", "200", "418", "524", "missing", "too_large")] == [
        "none",
        "200",
        "418",
        "524",
        "missing",
        "too_large",
    ]
    assert {code_label(code) for code in ("299", "799", "tok-9f8e7d", "words")} == {"other"}
