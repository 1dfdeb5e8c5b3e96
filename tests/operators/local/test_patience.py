"""A run's patience with a Redis that answered before."""

from __future__ import annotations

import pytest
import redis

from callspool.errors import QueueUnavailable
from callspool_operators.local import tracking
from callspool_operators.local.tracking import ask_until_answered


class Step:
    """Fails some times, for one reason, and then answers."""

    def __init__(self, failures: int, reason: redis.RedisError) -> None:
        self.left = failures
        self.tries = 0
        self._reason = reason

    def __call__(self) -> str:
        self.tries += 1
        if self.left:
            self.left -= 1
            raise QueueUnavailable("Redis does not answer") from self._reason
        return "answered"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "PAUSE", 0.0)


def test_a_redis_that_is_away_for_a_moment_is_asked_again() -> None:
    between: list[int] = []
    step = Step(3, redis.ConnectionError("refused"))
    assert ask_until_answered(step, lambda: between.append(1)) == "answered"
    assert len(between) == 3


def test_a_refusal_that_waiting_does_not_heal_is_told_at_once() -> None:
    step = Step(3, redis.exceptions.NoPermissionError("NOPERM"))
    with pytest.raises(QueueUnavailable):
        ask_until_answered(step)
    assert step.tries == 1


def test_patience_with_a_redis_that_stays_away_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "REDIS_PATIENCE", 0.0)
    with pytest.raises(QueueUnavailable):
        ask_until_answered(Step(10**9, redis.ConnectionError("refused")))


def test_patience_can_be_shorter_than_usual() -> None:
    with pytest.raises(QueueUnavailable):
        ask_until_answered(Step(10**9, redis.ConnectionError("refused")), patience=0.0)
