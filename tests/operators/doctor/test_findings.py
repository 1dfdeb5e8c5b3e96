"""What Redis and the API say of themselves, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from callspool.settings import Settings
from callspool_ledger.reads.servers import ServerFacts
from callspool_operators.doctor import (
    DoctorFinding,
    examine_api,
    examine_server,
    examine_settings,
    worst,
)
from callspool_worker.decisions.answers import Answer, Answered, NoAnswer, NotSent

GOOD: dict[str, Any] = {
    "redis_version": "7.0.15", "role": "master", "connected_slaves": 1, "min_slaves_good_slaves": 1,
    "aof_enabled": 1,
    "aof_last_write_status": "ok", "maxmemory_policy": "noeviction", "used_memory": 2**20,
    "maxmemory": 2**30, "connected_clients": 3, "maxclients": 10_000,
}  # fmt: skip


def examined(info: dict[str, Any] | None = None, **changed: Any) -> list[DoctorFinding]:
    config = changed.pop("config", {"appendfsync": "everysec"})
    return list(examine_server(ServerFacts(GOOD | (info or {}), config, **changed)))


def test_a_redis_that_is_as_it_should_be_has_nothing_to_remedy():
    findings = examined()
    assert {each.health for each in findings} == {"ok"}
    assert worst(findings) == 0


@pytest.mark.parametrize(
    ("info", "check", "health", "words"),
    [
        ({"redis_version": "6.2.14"}, "version", "problem", "Redis 7.0 or later"),
        ({"role": "slave"}, "role", "problem", "primary"),
        ({"aof_enabled": 0}, "persistence", "problem", "appendonly yes"),
        ({"aof_last_write_status": "err"}, "persistence", "problem", "disk"),
        ({"aof_last_bgrewrite_status": "err"}, "persistence", "warning", "log"),
        ({"rdb_last_bgsave_status": "err"}, "persistence", "problem", "log"),
        ({"maxmemory_policy": "allkeys-lru"}, "eviction", "problem", "noeviction"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, "eviction", "warning", "noeviction"),
        ({"used_memory": 900 * 2**20}, "memory", "problem", "raise maxmemory"),
        ({"used_memory": 700 * 2**20}, "memory", "warning", "raise maxmemory"),
        ({"maxmemory": 0}, "memory", "warning", "set maxmemory"),
        ({"connected_clients": 9_000}, "clients", "warning", "maxclients"),
    ],
)
def test_what_is_wrong_with_redis_is_told_with_its_remedy(
    info: dict[str, Any], check: str, health: str, words: str
):
    found = [each for each in examined(info) if each.check == check and each.health != "ok"]
    (finding,) = found
    assert finding.health == health
    assert words in finding.remedy


@pytest.mark.parametrize(("batch_size", "warned"), [(100, False), (101, True), (1000, True)])
def test_a_batch_of_which_the_last_contact_rings_late_is_warned_of(batch_size: int, warned: bool):
    found = examine_settings(Settings(batch_size=batch_size), {})
    about = [each for each in found if "BATCH_SIZE" in each.said]
    assert [each.health for each in about] == ["warning"] * warned
    assert all(f"waits for {batch_size // 10} calls" in each.said for each in about)


def test_a_primary_that_would_go_on_alone_is_warned_of():
    alone = {name: value for name, value in GOOD.items() if name != "min_slaves_good_slaves"}
    (role,) = [each for each in examine_server(ServerFacts(alone, {})) if each.check == "role"]
    assert (role.health, "min-replicas-to-write 1" in role.remedy) == ("warning", True)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"state": "online", "lag": 1}, ""),
        ({"state": "online", "lag": 45}, "has been silent for 45 s"),
        ({"state": "send_bulk", "lag": 0}, "is being filled"),
        ({"state": "online", "lag": 0, "offset": 1000}, "is 19 MiB behind"),
    ],
)
def test_a_replica_that_is_down_or_far_behind_is_warned_of(told: dict[str, Any], said: str):
    replica = {"ip": "10.0.0.7", "port": 6379, "offset": 20 * 2**20} | told
    found = examined({"slave0": replica, "master_repl_offset": 20 * 2**20})
    told_of = [each.said for each in found if each.health == "warning" and each.check == "role"]
    assert len(told_of) == bool(said)
    assert all(f"replica 10.0.0.7:6379 {said}" in each for each in told_of)


def test_clocks_that_differ_are_told_beyond_what_the_way_takes():
    ahead = [each for each in examined(ahead=-5.0, unsure=0.5) if each.check == "clock"]
    assert (ahead[0].health, "4.5 s behind" in ahead[0].said) == ("warning", True)
    assert worst(examined(ahead=90.0)) == 2
    assert worst(examined(ahead=3.0, unsure=3.0)) == 0


def test_a_user_with_few_rights_still_gets_an_answer():
    findings = list(examine_server(ServerFacts({}, {}, refused=("xreadgroup",))))
    told = {each.check: each.remedy for each in findings if each.health == "warning"}
    assert "+info" in told["redis"]
    assert "security.md" in told["rights"]


@pytest.mark.parametrize(
    ("answer", "space", "health", "code"),
    [
        (Answered(200, json={"status_code": 200, "data": []}), True, "ok", 0),
        (Answered(401, json={"message": "Invalid token."}), True, "problem", 2),
        (Answered(200, json={"status_code": 401, "message": "no"}), True, "problem", 2),
        (Answered(403, json={"message": "no"}), True, "warning", 0),
        (Answered(404, json={"message": "no"}), False, "warning", 0),
        (Answered(403, json={"message": "no"}), False, "problem", 2),
        (Answered(429, json={"message": "slow"}), True, "warning", 0),
        (Answered(503, body=b"<html>"), True, "problem", 3),
        (NotSent("no such host", "dns"), True, "problem", 3),
        (NoAnswer("timed out", "timeout"), False, "problem", 3),
    ],
)
def test_what_the_api_answers_to_a_read_tells_how_it_stands(
    answer: Answer, space: bool, health: str, code: int
):
    findings = list(examine_api("default", answer, space=space, now=0.0))
    assert findings[0].health == health
    assert worst(findings) == code


def test_a_clock_of_the_api_that_is_far_off_is_told():
    answer = Answered(200, json={"status_code": 200, "data": []}, server_date=1_000.0)
    *_, last = examine_api("default", answer, space=True, now=700.0)
    assert last.health == "warning"
    assert "300 s ahead" in last.said
