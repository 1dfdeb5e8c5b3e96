"""Until when a request may be sent."""

import datetime
from typing import Any

import pytest

from tests.producers.request.requests import NOW, prepared, refusal

SOON = NOW + 3600


@pytest.mark.parametrize(
    "value",
    [
        SOON,
        int(SOON),
        datetime.datetime.fromtimestamp(SOON, datetime.UTC),
        datetime.datetime.fromtimestamp(SOON, datetime.timezone(datetime.timedelta(hours=5.5))),
        datetime.datetime.fromtimestamp(SOON, datetime.UTC).isoformat(),
    ],
)
def test_an_expiry_is_kept_in_unix_seconds(value: Any) -> None:
    assert prepared(expires_at=value).envelope.expires_at == SOON


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime.fromtimestamp(SOON, datetime.UTC).replace(tzinfo=None),
        "2028-01-01T00:00:00",
        "2028-01-01",
        "tomorrow",
        "",
        True,
        SOON * 1000,
        -1,
        float("nan"),
        float("inf"),
        10**400,
        datetime.timedelta(hours=1),
        datetime.date(2028, 1, 1),
        [SOON],
    ],
)
def test_an_expiry_that_is_no_moment_is_refused(value: Any) -> None:
    assert refusal(expires_at=value).field == "expires_at"


@pytest.mark.parametrize("value", [NOW, NOW - 1, 0, "2020-01-01T00:00:00Z"])
def test_a_producer_refuses_what_has_expired_already(value: Any) -> None:
    assert "past" in refusal(expires_at=value).reason
