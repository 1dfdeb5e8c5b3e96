"""Servers that are odd all the time, or from some moment on."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from callspool.errors import SettingsError
from callspool_sandbox.fault_files import ServerTraits, parse_faults
from tests.sandbox.client import eventually

if TYPE_CHECKING:
    from tests.sandbox.conftest import StartSandbox


def ahead(told: str) -> float:
    moment = datetime.fromisoformat(told).replace(tzinfo=UTC).timestamp()
    return moment - time.time()


def test_two_servers_take_turns_with_clocks_and_ids_of_their_own(start: StartSandbox) -> None:
    client = start(faults="[server]\nclock_skew = [60, -60]\n")
    answers = [client.create("a", space="TWO") for _ in range(4)]
    dates = [parsedate_to_datetime(each.headers["date"]).timestamp() for each in answers]
    assert sorted(round((date - time.time()) / 60) for date in dates) == [-1, -1, 1, 1]
    for answer, date in zip(answers, dates, strict=True):
        made = UUID(answer.json()["data"]["run_id"][1:]).time / 1e7 - 12_219_292_800
        assert abs(made - date) < 2
    off = [round(ahead(run["created"]) / 60) for run in client.runs("TWO")]
    assert sorted(off) == [-1, -1, 1, 1]


@pytest.mark.parametrize(
    ("order", "expected"), [("newest", "cba"), ("oldest", "abc"), ("created", "")]
)
def test_lists_come_in_the_order_that_was_asked_for(
    start: StartSandbox, order: str, expected: str
) -> None:
    client = start(faults=f'[server]\norder = "{order}"\nclock_skew = [60, -60]\n')
    made = {client.create(one, space="O").json()["data"]["run_id"]: one for one in "abc"}
    runs = client.runs("O")
    if expected:
        assert "".join(made[run["run_id"]] for run in runs) == expected
        assert [task["ref_id"] for task in client.tasks("O", page=2, page_size=1)] == ["b"]
    created = [run["created"] for run in runs]
    assert (created == sorted(created, reverse=True)) == (order == "created")


@pytest.mark.parametrize(
    ("counts", "stated"), [("0", 0), ("1", 1), ('"page"', 2), ("true", 3), ("false", None)]
)
def test_counts_can_lie(start: StartSandbox, counts: str, stated: int | None) -> None:
    client = start(faults=f"[server]\ncounts = {counts}\n")
    for _ in range(3):
        client.create("a", space="LIES")
    answer = client.read("spaces/LIES/runs/", page_size=2).json()
    assert (answer.get("count"), len(answer["data"])) == (stated, 2)


def test_a_replica_shows_tasks_later_than_runs(start: StartSandbox) -> None:
    client = start(faults="[server]\ntasks_lag = 0.5\n")
    run_id = client.create("a", space="LAG").json()["data"]["run_id"]
    assert [run["batch_count"] for run in client.runs("LAG")] == [1]
    assert client.tasks_of(run_id, "LAG") == []
    eventually(lambda: len(client.tasks_of(run_id, "LAG")) == 1)


def test_a_replica_may_lag_altogether_and_be_asked_only_now_and_then(start: StartSandbox) -> None:
    client = start(faults="[server]\nruns_lag = 100\ntasks_lag = 100\nlag_share = 0.5\n", seed=3)
    client.create("a", space="LAG")
    seen = {len(client.runs("LAG")) for _ in range(30)}
    assert seen == {0, 1}


def test_a_space_may_hold_older_runs_of_others(start: StartSandbox) -> None:
    client = start(faults="[server]\nolder_runs = 120\n")
    run_id = client.create("a", space="OLD").json()["data"]["run_id"]
    runs = client.runs("OLD", page_size=0)
    assert len(runs) == 121
    assert runs[0]["run_id"] == run_id
    assert 119 * 60 < -ahead(runs[-1]["created"]) < 121 * 60
    (task,) = client.tasks_of(runs[-1]["run_id"], "OLD")
    assert "callspool_attempt" not in task["input"]
    assert len(client.runs("OLDTOO", page_size=0)) == 120


def test_follow_ups_are_tasks_of_the_same_run_with_the_same_input(start: StartSandbox) -> None:
    client = start(faults="[server]\nfollow_up_after = 0.3\n")
    run_id = client.create("a", "b", space="FOLLOWED").json()["data"]["run_id"]
    assert len(client.tasks_of(run_id, "FOLLOWED")) == 2
    eventually(lambda: len(client.tasks_of(run_id, "FOLLOWED")) == 4)
    tasks = client.tasks_of(run_id, "FOLLOWED")
    newest, own = tasks[0], {task["task_id"]: task for task in tasks[2:]}
    assert "ref_id" not in newest
    assert newest["input"] == own[newest["output"]["referenced_task"]]["input"]
    assert len({task["task_id"] for task in tasks}) == 4
    assert client.runs("FOLLOWED")[0]["batch_count"] == 2


def test_a_server_can_change_while_it_runs(start: StartSandbox) -> None:
    faults = '[[changes]]\nat = 0.5\ninput = "known"\nclock_skew = 3600\n'
    client = start(faults=faults)
    client.create("a", space="CHANGES")
    marked = client.tasks("CHANGES")[0]["input"]
    assert "callspool_attempt" in marked
    eventually(lambda: "callspool_attempt" not in client.tasks("CHANGES")[0]["input"])
    client.create("b", space="CHANGES")
    assert 3500 < ahead(client.runs("CHANGES")[0]["created"]) < 3700


def test_changes_build_on_each_other_and_are_checked_whole() -> None:
    text = b'[[changes]]\nat = 2\ncounts = 1\n[[changes]]\nat = 1\ninput = "none"\n'
    states = parse_faults(text).states()
    assert [(at, each.input, each.counts) for at, each in states] == [
        (0.0, "whole", True),
        (1.0, "none", True),
        (2.0, "none", 1),
    ]
    assert states[0][1] == ServerTraits()
    for wrong in (b'[[changes]]\ninput = "none"', b"[[changes]]\nat = 1\nspeed = 2"):
        with pytest.raises(SettingsError):
            parse_faults(wrong)
