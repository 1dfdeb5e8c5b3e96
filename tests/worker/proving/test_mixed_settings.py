"""Workers with other settings judge a take by what it carries with it, not by their own."""

from __future__ import annotations

import time

import redis

from callspool.settings import load_settings
from callspool_ledger.writes import Ledger, Limits
from callspool_worker.decisions.leases import LeaseWatch
from callspool_worker.ledgers import find_disagreements
from callspool_worker.sweeping import Sweeper
from tests.support.ledgers import LedgerUnderTest, group
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.faults import fault
from tests.worker.proving.stage import Stage

ACCOUNT = {"CALLSPOOL_API_TOKEN": "tok-0123456789abcdef", "CALLSPOOL_ORG_HANDLE": "unpod.tv"}
PATIENT, HASTY = 0.8, 0.05
"""Seconds of quiet of two workers, and of their leases."""


def is_overdue(watch: LeaseWatch, ledger: Ledger, now: float) -> bool:
    return bool(watch.overdue(ledger.sending(), now, ledger.leases))


def test_a_take_is_over_when_the_lease_of_its_own_worker_is_whoever_watches(client: redis.Redis):
    slow = LedgerUnderTest(client, linger_ms=0, lease_ms=70_000)
    fast = Ledger(client, Limits(lease_ms=11_000))
    slow.accept(group(["crm-1"]))
    assert slow.ledger.take("slow:1", ["default"])
    watch = LeaseWatch(11.0)
    assert not is_overdue(watch, fast, 100.0)
    assert not is_overdue(watch, fast, 169.9)
    assert is_overdue(watch, fast, 170.0)


def test_a_sweeper_that_is_set_to_less_leaves_anothers_take_alone(client: redis.Redis):
    slow = LedgerUnderTest(client, linger_ms=0, lease_ms=70_000)
    slow.accept(group(["crm-1"]))
    assert slow.ledger.take("slow:1", ["default"])
    sweeper = Sweeper(Ledger(client, Limits(lease_ms=1)), 0.001, 3600, accounts=["default"])
    sweeper.start()
    time.sleep(2.5)
    sweeper.stop()
    assert slow.state("crm-1") == "s"


def test_a_take_of_an_earlier_release_has_the_lease_of_the_watcher(client: redis.Redis):
    spool = LedgerUnderTest(client, linger_ms=0)
    spool.accept(group(["crm-1"]))
    taken = spool.ledger.take("old:1", ["default"])
    assert taken
    client.hdel(f"callspool:{{0}}:b{taken.batch}", "lease")
    watch = LeaseWatch(11.0)
    assert not is_overdue(watch, spool.ledger, 100.0)
    assert is_overdue(watch, spool.ledger, 111.0)


def test_the_quiet_of_the_take_counts_although_another_worker_proves_it(set_up: SetUp):
    patient = set_up(fault("before"), quiet=PATIENT, quiet_answered=PATIENT)
    hasty = Stage(patient.spool.client, patient.sandbox, quiet=HASTY, quiet_answered=HASTY)
    try:
        patient.accept(["crm-1"])
        patient.send()
        hasty.look()
        time.sleep(HASTY * 3)
        hasty.look()
        assert hasty.states(["crm-1"]) == "d"
        time.sleep(PATIENT)
        hasty.look()
        assert hasty.states(["crm-1"]) == "w"
    finally:
        hasty.close()


def test_settings_that_all_workers_should_have_alike_are_compared_when_one_starts(
    client: redis.Redis,
):
    ledger = LedgerUnderTest(client, linger_ms=0).ledger
    one = load_settings(ACCOUNT)
    assert find_disagreements(ledger, one) == []
    other = load_settings(
        ACCOUNT | {"CALLSPOOL_ON_DOUBT": "resend", "CALLSPOOL_API_URL": "https://api.example"}
    )
    assert find_disagreements(ledger, other) == [], "no other worker lives: they were changed"
    ledger.take("me:1", ["default"])
    assert find_disagreements(ledger, other) == []
    held, account = find_disagreements(ledger, one)
    assert held == (
        "CALLSPOOL_ON_DOUBT is hold here and resend at a worker that runs: what one worker holds"
        " another one sends again; set one value"
    )
    assert account.startswith("account default has another URL or org handle here")
