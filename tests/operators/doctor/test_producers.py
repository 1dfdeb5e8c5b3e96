"""What `doctor` tells of users of Redis that only append, and of what one of them did."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from callspool_operators.doctor import producers
from callspool_operators.doctor.producers import PRODUCER_RULES, examine_queue, examine_users
from tests.support.ledgers import LedgerUnderTest, P, group

STREAM, COUNTS = f"{P}:requests", f"{P}:counts"
SECURITY = Path(__file__).parents[3] / "docs" / "security.md"


@pytest.fixture(autouse=True)
def pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producers, "PAUSE", 0.0)


@pytest.fixture
def users(client: redis.Redis) -> Iterator[redis.Redis]:
    """A server whose users are as before once the test is over."""
    yield client
    client.acl_deluser("producer", "shop", "intake")


def set_user(client: redis.Redis, name: str, rules: str) -> None:
    client.execute_command("ACL", "SETUSER", name, "on", ">secret", *rules.split())


def told(client: redis.Redis) -> dict[str, tuple[str, str, str]]:
    found = examine_users(client)
    return {one.said.split()[0]: (one.health, one.said, one.remedy) for one in found}


def test_rights_of_producers_are_those_of_the_page_on_security():
    line = re.search(r"user producer on >\S+ resetchannels (.*)", SECURITY.read_text())
    assert line is not None
    assert line[1] == PRODUCER_RULES


def test_a_user_that_may_more_than_append_is_told_with_the_command_that_mends_it(
    users: redis.Redis,
):
    set_user(users, "producer", "~callspool:* +@all")
    set_user(users, "shop", "~callspool:* +xadd +xtrim")
    set_user(users, "intake", "%R~callspool:{*}:* ~callspool:{*}:requests +@read +xadd")
    found = told(users)
    assert "XREADGROUP" in found["producer"][1]
    assert found["shop"][:2] == (
        "warning",
        "shop appends, and may also XTRIM in the queue or the ledger",
    )
    assert "intake" not in found
    for name in ("producer", "shop"):
        users.execute_command(*found[name][2].replace("'", "").split()[1:])
    mended = told(users)
    assert mended["producer"][0] == mended["shop"][0] == "ok"


def test_a_producer_that_lacks_a_right_is_told(users: redis.Redis):
    set_user(users, "shop", f"{PRODUCER_RULES} -hincrby")
    assert told(users)["shop"][:2] == ("problem", "shop may not HINCRBY: it cannot enqueue")


def test_what_a_producer_changed_is_told_with_the_command_that_mends_it(client: redis.Redis):
    LedgerUnderTest(client).accept(group(["crm-1", "crm-2"]))
    assert list(examine_queue([client])) == []
    client.hincrby(COUNTS, "waiting", -500)
    client.hincrby(COUNTS, "spooled", 70)
    client.xadd(STREAM, {"v": "1"}, id=f"{2**64 - 1}-{2**64 - 1}")
    client.xtrim(STREAM, maxlen=0)
    with pytest.raises(redis.ResponseError):
        client.xadd(STREAM, {"v": "1"})
    found = [*examine_queue([client])]
    assert [one.check for one in found] == ["queue", "counts", "counts"]
    for one in found:
        command = one.remedy.partition("redis-cli ")[2]
        client.execute_command(*command.replace("'", "").split())
    assert list(examine_queue([client])) == []
    client.xadd(STREAM, {"v": "1"})
