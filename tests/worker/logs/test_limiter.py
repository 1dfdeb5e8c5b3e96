"""Of lines that say much the same only some are written, and none is forgotten."""

from __future__ import annotations

from callspool_worker.logs.lines import MOST_KINDS, LeftOut, Limiter

DOWN = ("attempt", "default", "not_sent")


def test_the_first_lines_of_a_window_are_written_and_the_next_window_tells_of_the_others():
    limiter = Limiter(lines=3, window=60)
    admitted = [limiter.admit(DOWN, 10, now) for now in range(8)]
    assert admitted == [LeftOut(), LeftOut(), LeftOut(), None, None, None, None, None]
    assert limiter.dropped == 5
    assert limiter.admit(DOWN, 10, 60.0) == LeftOut(5, 50)
    assert limiter.admit(DOWN, 10, 61.0) == LeftOut()


def test_what_differs_has_a_window_of_its_own():
    limiter = Limiter(lines=1, window=60)
    assert limiter.admit(DOWN, 1, 0.0) == LeftOut()
    assert limiter.admit((*DOWN, "500"), 1, 0.0) == LeftOut()
    assert limiter.admit(DOWN, 1, 0.0) is None


def test_what_was_left_out_at_the_end_is_told_once():
    limiter = Limiter(lines=1, window=60)
    for _ in range(3):
        limiter.admit(DOWN, 7, 0.0)
    assert list(limiter.rest()) == [(DOWN, LeftOut(2, 14))]
    assert list(limiter.rest()) == []


def test_however_many_likenesses_there_are_it_keeps_a_bounded_number():
    limiter = Limiter(lines=1, window=60)
    kept = [limiter.admit(("log", str(number)), 0, 0.0) for number in range(MOST_KINDS + 50)]
    assert kept.count(None) == 49, "those beyond are counted as one"
    assert limiter.admit(("log", "later"), 0, 60.0) == LeftOut()
