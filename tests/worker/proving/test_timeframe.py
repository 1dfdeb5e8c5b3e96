"""When a run began, by clocks that need not agree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callspool_worker.proving.parsing import moment, run_seen, task_seen
from callspool_worker.proving.records import RunSeen
from callspool_worker.proving.timeframe import UNKNOWN_ZONE, clocks
from tests.worker.proving.worlds import DAY, question

ZONES = st.integers(-48, 56).map(lambda quarters: quarters * 900.0)
SKEWS = st.floats(-7200, 7200)
DELAYS = st.floats(0.01, 25)
QUIET = 300.0


def seen(name: str, created: float, *, zoned: bool) -> RunSeen:
    return RunSeen(name, created, zoned, 1)


@given(SKEWS, ZONES, st.booleans(), st.booleans(), st.lists(DELAYS, max_size=4), st.floats(0, 60))
def test_the_attempts_own_run_is_never_ruled_out(
    skew: float, zone: float, zoned: bool, dated: bool, delays: list[float], delay: float
):
    """Whatever the clock, the zone, and whatever is known of other runs."""
    shift = skew + (0.0 if zoned else zone)
    known = {f"K{n}": (DAY - 100 - n) * 1000 for n in range(len(delays))}
    runs = [
        seen(f"K{n}", DAY - 100 - n + late + shift, zoned=zoned) for n, late in enumerate(delays)
    ]
    own = seen("R", DAY + delay + shift, zoned=zoned)
    now = DAY + 400
    if not dated and not delays and abs(shift) > UNKNOWN_ZONE:
        return  # nothing at all tells the server's clock
    told = clocks(now + skew if dated else None, now, [own, *runs], known)
    asked = question(1, ["a"], marked=True)
    assert not told.is_before(own, asked.sent_ms)
    assert told.may_be_of(own, asked, QUIET)


@given(SKEWS, ZONES, st.lists(DELAYS, min_size=1, max_size=4))
def test_a_server_whose_runs_are_known_is_read_no_further_than_needed(
    skew: float, zone: float, delays: list[float]
):
    known = {f"K{n}": (DAY - 100) * 1000 for n in range(len(delays))}
    runs = [
        seen(f"K{n}", DAY - 100 + late + skew + zone, zoned=False) for n, late in enumerate(delays)
    ]
    told = clocks(DAY + skew, DAY, runs, known)
    assert told.is_before(seen("old", DAY - 60 + skew + zone, zoned=False), DAY * 1000)


def test_runs_that_were_proven_late_do_not_shift_the_clock():
    known = {"K": (DAY - 3600) * 1000}
    told = clocks(DAY, DAY, [seen("K", DAY - 3599, zoned=True)], known)
    assert (told.low, told.high) == (0.0, 0.0)


def test_a_clock_of_runs_that_is_not_that_of_answers_is_learned_from_known_runs():
    known = {"K": DAY * 1000}
    told = clocks(DAY, DAY, [seen("K", DAY - 3600, zoned=True)], known)
    asked = question(1, ["a"], marked=True)
    assert told.may_be_of(seen("R", DAY - 3590, zoned=True), asked, QUIET)


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
