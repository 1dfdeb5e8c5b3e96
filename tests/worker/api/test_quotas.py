"""What headers say of an API's limits; any text may stand in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool_worker.api.reading import LONGEST, quota_of, reset_of
from callspool_worker.decisions.answers import Quota

NOW = 1_795_341_600.0
NAMES = ["x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-remaining", "ratelimit-reset"]


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "30"}, Quota(7, 30.0)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(int(NOW) + 5)}, Quota(7, 5.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) - 5)}, Quota(0, 0.0)),
        ({"ratelimit-remaining": "3", "ratelimit-reset": "1.5"}, Quota(3, 1.5)),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, Quota(50, 5.0)),
        ({"ratelimit": '"minute";r=50;t=30'}, Quota(50, 30.0)),
        ({"ratelimit": '"day";r=500;t=3000, "second";r=1;t=1'}, Quota(1, 1.0)),
        ({"x-ratelimit-remaining": "9", "x-ratelimit-reset": "86400"}, Quota(9, LONGEST)),
        ({"x-ratelimit-remaining": "9"}, None),
        ({"x-ratelimit-reset": "9"}, None),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "30"}, None),
        ({"x-ratelimit-remaining": "soon", "x-ratelimit-reset": "30"}, None),
        ({"x-ratelimit-remaining": "1e9", "x-ratelimit-reset": "1e9"}, None),
        ({"x-ratelimit-remaining": "9" * 400, "x-ratelimit-reset": "30"}, None),
        ({"ratelimit": '"a";r=1;t=1,' * 10_000}, None),
        ({"ratelimit": "remaining=, reset"}, None),
        ({}, None),
    ],
)
def test_what_an_api_takes_yet_is_read_in_every_form_and_nonsense_says_nothing(
    headers: dict[str, str], quota: Quota | None
) -> None:
    assert quota_of(headers, NOW) == quota


def test_where_only_the_reset_is_told_it_says_how_long_to_wait() -> None:
    assert reset_of({"x-ratelimit-reset": "17"}, NOW) == 17.0
    assert reset_of({"ratelimit-reset": "17"}, NOW) == 17.0
    assert reset_of({"ratelimit": '"a";r=0;t=17, "b";r=2;t=60'}, NOW) == 17.0
    assert reset_of({"x-ratelimit-reset": "tomorrow"}, NOW) is None


@given(
    st.dictionaries(st.sampled_from([*NAMES, "ratelimit"]), st.text(max_size=60)),
    st.floats(0, 1e11),
)
def test_no_text_in_these_headers_ever_fails(headers: dict[str, str], now: float) -> None:
    quota = quota_of(headers, now)
    assert quota is None or (quota.left >= 0 and 0 <= quota.seconds <= LONGEST)
    wait = reset_of(headers, now)
    assert wait is None or wait >= 0
