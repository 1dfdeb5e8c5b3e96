"""What follows from a look, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool_worker.proving.findings import (
    LONGEST_PAUSE,
    MISSING,
    SOON,
    TOO_SLOW,
    Conclusion,
    GiveUp,
    Hold,
    LookAgain,
    Over,
    SendAgain,
    Standing,
    conclude,
    decide_unproven,
)
from callspool_worker.proving.matching import SHORT

QUIET_OVER = Standing(
    left=10,
    tries=1,
    max_attempts=3,
    changed=100.0,
    since=95.0,
    quiet=15.0,
    began=115.0,
    took=1.0,
    good_for=30.0,
)
"""Ten documents were found by no look for fifteen seconds."""

CASES: dict[str, tuple[dict[str, object], Conclusion]] = {
    "all was found": ({"left": 0}, Over()),
    "the quiet is not over": ({"began": 114.9}, LookAgain(0.2)),
    "the doubt is young": ({"began": 96.0, "changed": 96.0}, LookAgain(2.0)),
    "missing": ({}, SendAgain(10, rests=True, proven=True)),
    "missing, last try": ({"tries": 3}, SendAgain(5, rests=False, proven=True)),
    "missing alone, last try": ({"tries": 3, "left": 1}, GiveUp(MISSING)),
    "refused": ({"refused": "no"}, SendAgain(5, rests=False, proven=True, costs_try=False)),
    "refused alone": ({"refused": "no", "left": 1}, GiveUp("no", refused=True)),
    "blocked": ({"blocked": "why"}, LookAgain(LONGEST_PAUSE)),
    "blocked, and sent again all the same": (
        {"blocked": "why", "resend_unproven": True},
        SendAgain(10, rests=True, proven=False),
    ),
    "blocked by what may heal": (
        {"blocked": "why", "may_heal": True, "resend_unproven": True},
        LookAgain(LONGEST_PAUSE),
    ),
    "waits": ({"waits": "why"}, Hold("why")),
    "waits, before the quiet is over": ({"waits": "why", "began": 114.9}, LookAgain(0.2)),
    "waits for good, the quiet began anew": (
        {"waits": SHORT, "changed": 114.0},
        Hold(SHORT, pytest.approx(13.2)),
    ),
    "waits, and is sent again all the same": (
        {"waits": "why", "resend_unproven": True},
        SendAgain(10, rests=True, proven=False),
    ),
    "the look took too long": ({"took": 31.0}, Hold(TOO_SLOW, SOON)),
    "sent again without proof too often": (
        {"blocked": "why", "resend_unproven": True, "tries": 3},
        Hold("sent 3 times, and never proven"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_follows_from_a_look(case: str):
    changes, wanted = CASES[case]
    found = conclude(replace(QUIET_OVER, **changes))  # type: ignore[arg-type]
    if isinstance(wanted, LookAgain):
        assert isinstance(found, LookAgain)
        assert found.seconds == pytest.approx(wanted.seconds)
    else:
        assert found == wanted


standings = st.builds(
    Standing,
    left=st.integers(0, 5),
    tries=st.integers(1, 4),
    max_attempts=st.integers(1, 4),
    changed=st.floats(0, 400),
    since=st.floats(0, 100),
    quiet=st.floats(0, 300),
    began=st.floats(0, 1000),
    took=st.floats(0, 60),
    good_for=st.just(30.0),
    blocked=st.sampled_from(["", "why"]),
    may_heal=st.booleans(),
    waits=st.sampled_from(["", "why"]),
    resend_unproven=st.booleans(),
)


@given(standings)
def test_nothing_is_missing_before_the_quiet_is_over_or_while_something_may_be_there(
    standing: Standing,
):
    found = conclude(standing)
    is_missing = isinstance(found, GiveUp) or (isinstance(found, SendAgain) and found.proven)
    if is_missing:
        assert standing.began >= standing.changed + standing.quiet
        assert not standing.blocked
        assert not standing.waits
        assert standing.took <= standing.good_for


@given(standings)
def test_without_the_policy_nothing_is_sent_again_without_proof(standing: Standing):
    careful = replace(standing, resend_unproven=False)
    for found in (conclude(careful), decide_unproven(careful)):
        assert not isinstance(found, SendAgain) or found.proven
