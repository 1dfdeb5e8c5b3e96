"""However asks, answers and requests of several processes lie in time, a limit is a limit."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
import redis

from callspool_ledger.writes.account_calls import Ask, Grant, permits, read_grant
from callspool_worker.permits.account import AccountPermits, Feedback
from tests.support.ledgers import LedgerUnderTest

LIMIT, ROOM = 5, 8
STEPS = 400


@dataclass
class Process:
    """One process' book-keeping, and the ask or the answer that is on its way."""

    name: str
    account: AccountPermits = field(default_factory=lambda: AccountPermits("default"))
    ask: Ask | None = None
    grant: Grant | None = None

    def moves(self, now: float, dice: random.Random) -> None:
        """Begins or ends requests, several at a time."""
        if dice.random() < 0.4:
            for _ in range(ROOM):
                self.account.expects(now, ROOM)
        if dice.random() < 0.5:
            while self.account.may_begin(now):
                self.account.take()
        if dice.random() < 0.5:
            self.account.hope = 0
            while self.account.busy:
                self.account.note_end(Feedback(carried_out=True), now, self.account.cuts, now)

    def talks(self, ledger: LedgerUnderTest, now: float, dice: random.Random) -> None:
        """An ask leaves, reaches Redis, is answered; or gets lost on either way."""
        if self.grant is not None:
            self.account.got(self.grant, now)
            self.ask = self.grant = None
        elif self.ask is None:
            self.ask = self.account.ask(self.name, ROOM - self.account.busy, now)
        elif dice.random() < 0.05:
            self.account.was_not_heard(self.ask)
            self.ask = None
        else:
            self.grant = executed(ledger, self.ask)
            if dice.random() < 0.05:
                self.account.was_not_heard(self.ask)
                self.ask = self.grant = None


def executed(ledger: LedgerUnderTest, ask: Ask) -> Grant:
    limits = {"lease_ms": 60_000, "first": LIMIT, "most": LIMIT, "rate": 0.0, "grace_ms": 0}
    (reply,) = ledger.ledger.run([permits("default", ask, **limits)])
    return read_grant(reply)


@pytest.mark.parametrize("seed", range(8))
def test_no_more_are_in_flight_than_the_limit_while_asks_are_on_their_way(
    client: redis.Redis, seed: int
) -> None:
    ledger, dice = LedgerUnderTest(client), random.Random(seed)
    processes = [Process(name) for name in "abc"]
    most = 0
    for step in range(STEPS):
        now = step / 10
        dice.choice(processes).moves(now, dice)
        dice.choice(processes).talks(ledger, now, dice)
        busy = sum(each.account.busy for each in processes)
        assert busy <= LIMIT, f"step {step}"
        most = max(most, busy)
    assert most == LIMIT
