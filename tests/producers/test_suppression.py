from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis

from callspool import SettingsError, SuppressionLists
from callspool.errors import CallspoolError, QueueUnavailable
from tests.support.servers import free_port

ASKED = "+1 415 555 0123"


def test_a_service_puts_numbers_on_lists_and_takes_them_off(redis_url: str, client: redis.Redis):
    with SuppressionLists(redis_url, by="crm") as lists:
        assert lists.add(ASKED, source="unsubscribed").added == 1
        until = datetime.now(UTC) + timedelta(days=1)
        assert lists.add(["4155550124", "+14155550125"], account="acme", until=until).added == 2
        (found, other) = lists.check([ASKED, "+14155550125"])
        assert found is not None
        assert (found.list, found.source, found.by) == ("global", "unsubscribed", "crm")
        assert other is None
        assert lists.check(["+14155550125"], account="acme") != [None]
        assert [each.name for each in lists.lists()] == ["account:acme", "global"]
        assert lists.remove(ASKED) == 1
        assert lists.check([ASKED]) == [None]


def test_what_cannot_be_meant_is_refused(redis_url: str):
    with pytest.raises(SettingsError, match="region 'XX'"):
        SuppressionLists(redis_url, region="XX")
    with SuppressionLists(redis_url) as lists:
        with pytest.raises(CallspoolError, match="1 to 64 of a-z"):
            lists.add(ASKED, "No Name")
        with pytest.raises(ValueError, match="until needs an offset"):
            lists.add(ASKED, until=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the fault


def test_a_redis_that_is_away_is_one_error():
    with (
        SuppressionLists(f"redis://127.0.0.1:{free_port()}", timeout=0.5) as lists,
        pytest.raises(QueueUnavailable),
    ):
        lists.add(ASKED)
