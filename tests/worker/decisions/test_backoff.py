"""How long is waited."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callspool_worker.backoff import CAP, LONGEST_RETRY_AFTER, delay, promptly


@settings(deadline=None)
@given(st.integers(-1, 100_000))
def test_a_delay_grows_with_full_jitter_up_to_its_cap(tries: int) -> None:
    window = min(CAP, 2.0 ** min(max(tries - 1, 0), 20))
    assert 0 <= delay(tries) <= window


def test_delays_fill_their_window() -> None:
    delays = [delay(9) for _ in range(400)]
    assert min(delays) < 100 < 156 < max(delays)


@settings(deadline=None)
@given(st.integers(0, 50), st.floats(0, LONGEST_RETRY_AFTER))
def test_the_wait_that_was_asked_for_is_never_undercut(tries: int, asked: float) -> None:
    assert asked <= delay(tries, asked) <= asked + max(0.1, asked / 10)


@pytest.mark.parametrize("asked", [LONGEST_RETRY_AFTER + 1, 1e12, math.inf])
def test_an_absurd_wait_is_bounded(asked: float) -> None:
    assert LONGEST_RETRY_AFTER <= delay(1, asked) <= LONGEST_RETRY_AFTER * 1.1


@pytest.mark.parametrize("asked", [-1.0, math.nan, None])
def test_a_wait_that_is_none_leaves_the_backoff(asked: float | None) -> None:
    assert delay(1, asked) <= 1


def test_prompt_retries_end_with_the_first_success() -> None:
    results = iter([2, 3])
    slept: list[float] = []
    assert promptly(1, lambda: next(results), lambda n: n < 2, slept.append) == 2
    assert len(slept) == 1


def test_prompt_retries_give_up_after_two_and_less_than_a_second() -> None:
    slept: list[float] = []
    calls: list[int] = []

    def fail() -> str:
        calls.append(1)
        return f"failure {len(calls)}"

    assert promptly("failure 0", fail, lambda _: True, slept.append) == "failure 2"
    assert len(slept) == 2
    assert sum(slept) <= 0.6


def test_an_exception_in_a_prompt_retry_is_not_caught() -> None:
    with pytest.raises(ZeroDivisionError):
        promptly(1, lambda: 1 // 0, lambda _: True, lambda _: None)
