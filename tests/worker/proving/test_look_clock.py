"""When a run began, by clocks that need not agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool_worker.proving.look_clock import AGREED, DISAGREED, ClockMemory, LookClock
from callspool_worker.proving.records import RunSeen, moment, run_seen, task_seen, time_of_id
from tests.worker.proving.played import id_of_time
from tests.worker.proving.worlds import DAY, question

ZONES = st.integers(-48, 56).map(lambda quarters: quarters * 900.0)
SKEWS = st.floats(-7200, 7200)
AGES = st.lists(st.floats(0, 500), max_size=6)
QUIET = 300.0


def seen(name: str, began: float, *, timed: bool = True, node: int | None = 1) -> RunSeen:
    """A run that began at a time of its server's clock; its id holds it if ``timed``."""
    if timed:
        return RunSeen(name, float(int(began)), zoned=False, batch_count=1, made=began, node=node)
    return RunSeen(name, float(int(began)), zoned=False, batch_count=1)


def newest_first(runs: list[RunSeen]) -> list[RunSeen]:
    return sorted(runs, key=lambda run: run.moment or 0.0, reverse=True)


def clock_of(
    runs: list[RunSeen], now: float, date: float | None, known: dict[str, float] | None = None
) -> LookClock:
    clock = LookClock(ClockMemory(), known or {})
    clock.see(newest_first(runs), now, date)
    return clock


@given(SKEWS, ZONES, st.booleans(), st.booleans(), AGES, st.floats(0, 60), st.floats(0, 600))
def test_the_attempts_own_run_is_never_ruled_out_by_a_clock_that_goes_evenly(
    skew: float, zone: float, timed: bool, dated: bool, ages: list[float], delay: float, age: float
):
    """Whatever the clock, the zone, and whatever other runs there are."""
    shift = skew if timed else skew + zone
    now = DAY + delay + age
    others = [seen(f"O{n}", now - ago + shift, timed=timed) for n, ago in enumerate(ages)]
    own = seen("R", DAY + delay + shift, timed=timed)
    clock = clock_of([own, *others], now, now + skew if dated else None)
    asked = question(1, ["a"], marked=True)
    assert clock.is_likely(own, asked)
    assert not clock.is_past(own, asked.sent_ms)


@given(SKEWS, SKEWS, AGES, st.floats(0, 60), st.booleans())
def test_servers_whose_clocks_differ_are_told_apart_by_their_ids(
    one: float, two: float, ages: list[float], delay: float, dated_by_the_other: bool
):
    now = DAY + delay + 30
    others = [seen(f"O{n}", now - ago + one, node=1) for n, ago in enumerate(ages)]
    own = seen("R", DAY + delay + two, node=2)
    clock = clock_of([own, *others], now, now + (one if dated_by_the_other else two))
    assert clock.is_likely(own, question(1, ["a"], marked=True))


@given(st.floats(-3600, 3600), AGES, st.floats(0, 60))
def test_a_clock_that_jumps_after_the_run_rules_nothing_out(
    jump: float, ages: list[float], delay: float
):
    """It is the clock of ``Date``, too, so the jump shows."""
    now = DAY + delay + 30
    later = [seen(f"O{n}", now - min(ago, 20) + jump) for n, ago in enumerate(ages)]
    own = seen("R", DAY + delay)
    clock = clock_of([own, *later], now, now + jump)
    asked = replace(question(1, ["a"], marked=True), clock_ahead=0.0)
    assert clock.may_be(own, asked)


def test_a_jump_between_two_looks_is_remembered():
    memory = ClockMemory()
    LookClock(memory, {}).see([seen("O", DAY)], DAY + 1, DAY + 1)
    clock = LookClock(memory, {})
    clock.see([seen("N", DAY + 3600), seen("O", DAY)], DAY + 2, DAY + 3602)
    assert not clock.agrees()
    assert clock.may_be(seen("O", DAY), question(1, ["a"], marked=True, sent=DAY - 5))


def test_an_earlier_look_bounds_what_a_later_one_reads():
    memory, asked = ClockMemory(), question(1, ["a"], marked=True)
    old = [seen(f"O{n}", DAY - 20 - n) for n in range(20)]
    LookClock(memory, {}).see(old, DAY + 1, DAY + 1)
    clock = LookClock(memory, {})
    clock.see(old, DAY + 15, DAY + 15)
    assert sum(clock.is_likely(run, asked) for run in old) == 4


def test_where_all_clocks_agree_a_look_goes_little_further_than_the_attempt():
    old = [seen(f"O{n}", DAY - 60 - 60 * n) for n in range(100)]
    clock = clock_of(old, DAY + 1, DAY + 1)
    assert clock.agrees()
    asked = question(1, ["a"], marked=True)
    assert sum(clock.may_be(run, asked) for run in old) <= 2 + AGREED / 60
    assert clock.is_newest_first
    assert clock.is_past(old[10], asked.sent_ms)


@pytest.mark.parametrize("ahead", [60.0, 3600.0])
def test_a_clock_that_is_ahead_of_date_widens_what_is_read(ahead: float):
    runs = [seen("N", DAY + ahead), seen("O", DAY - 600)]
    clock = clock_of(runs, DAY + 1, DAY + 1)
    assert not clock.agrees()
    earliest = clock.earliest(1, DAY * 1000)
    assert not clock.is_past(seen("R", earliest - DISAGREED + 1), DAY * 1000)


def test_only_a_list_that_falls_says_that_nothing_newer_follows():
    times = [DAY - 10.0 * n for n in range(20)]
    for order, falls in ((times, True), (times[::-1], False), (times[::2] + times[1::2], False)):
        clock = LookClock(ClockMemory(), {})
        clock.see([seen(f"O{at}", at) for at in order], DAY + 1, DAY + 1)
        assert clock.is_newest_first == falls


def test_a_run_without_a_mark_is_in_time_by_date_or_by_runs_that_are_known():
    asked = question(1, ["a"], marked=False)
    late, early = seen("L", DAY + 5 - 600), seen("R", DAY + 5)
    plain = clock_of([late, early], DAY + 10, DAY + 10)
    assert [plain.is_in_time(run, asked, QUIET) for run in (late, early)] == [False, True]
    known = clock_of([seen("K", DAY - 601), late], DAY + 10, DAY + 10, {"K": (DAY - 2) * 1000})
    assert known.is_in_time(late, asked, QUIET)


@given(st.floats(1_500_000_000, 2_000_000_000), ZONES, st.integers(0, 2**48 - 1))
def test_the_time_in_an_id_is_read_and_held_against_created(began: float, zone: float, node: int):
    word = id_of_time(began, 7, node)
    for text in (
        f"R{word}",
        word,
        f"R{word[:8]}-{word[8:12]}-{word[12:16]}-{word[16:20]}-{word[20:]}",
    ):
        made, by = time_of_id(text, began + zone)
        assert made == pytest.approx(began, abs=0.001)
        assert by == node
    assert time_of_id(f"R{word}", began + 10**6) == (None, None)
    random = f"{word[:12]}4{word[13:]}"
    assert time_of_id(f"R{random}", began) == (None, None)


def test_the_id_in_the_documentation_holds_its_time():
    made, _ = time_of_id("R74802366fe9011f0878d43cd8a99e069", None)
    assert made == pytest.approx(1769855683, abs=1)


@given(st.text())
def test_whatever_is_said_of_time_is_a_moment_or_none(text: str):
    found, zoned = moment(text)
    assert found is None or isinstance(found, float)
    assert zoned in (True, False)


def test_times_are_read_with_and_without_a_zone():
    assert moment("1970-01-02T00:00:00Z") == (DAY, True)
    assert moment("1970-01-02T05:30:00.000000+05:30") == (DAY, True)
    assert moment("1970-01-02T00:00:00.5") == (DAY + 0.5, False)
    assert moment("1970-01-02 00:00:00") == (DAY, False)
    assert moment(86_400) == (None, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.sampled_from(["R1", "T1", {"callspool_attempt": "a-1-b"}])
        for name in ("run_id", "task_id", "created", "batch_count", "input", "ref_id")
    },
)


@given(ENTRY | JSON)
def test_an_entry_of_any_shape_is_read_or_is_none(entry: object):
    run, task = run_seen(entry), task_seen(entry)
    assert run is None or run.run_id
    assert task is None or (task.task_id and all(task.names))
