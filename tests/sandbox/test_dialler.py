"""Calls ring as on the platform: redialled, evaluated later, followed up, with a run that lies."""

from __future__ import annotations

import time
from typing import Any

from callspool_sandbox.dialler import Dialler
from callspool_sandbox.fault_files import CallTraits
from callspool_sandbox.store import Stamp, StoredRun
from tests.sandbox.client import SPACE, eventually
from tests.sandbox.conftest import StartSandbox

NOW = 1_764_578_848.0


class Played:
    """A dialler whose time a test moves on."""

    def __init__(self, tasks: int, **traits: Any) -> None:
        self.seconds = 0.0
        how = CallTraits(**traits)
        self.dialler = Dialler(
            lambda: how, 1.0, 7, lambda: NOW + self.seconds, lambda: self.seconds
        )
        self.run = self.add(tasks)

    def add(self, tasks: int) -> StoredRun:
        stamp = Stamp(0, 0)
        run = StoredRun(SPACE, stamp, NOW, batch_count=tasks, place=(0, 0), status="pending")
        run.tasks = tasks
        self.dialler.add(run, range(tasks))
        return run

    def states(self, seconds: float, run: StoredRun | None = None) -> list[str]:
        """The tasks' statuses that many seconds later."""
        self.seconds += seconds
        self.dialler.advance()
        return [task.status for task in self.dialler.tasks(run or self.run)]

    def output(self, place: int) -> dict[str, Any]:
        return self.dialler.output(self.dialler.tasks(self.run)[place], "C1")


ANSWERED = {"no_answer": 0.0, "voicemail": 0.0, "fault": 0.0}


def test_a_completed_call_has_a_placeholder_first_and_is_evaluated_later() -> None:
    played = Played(1, seconds=(30.0, 30.0), **ANSWERED)
    assert played.states(10) == ["in_progress"]
    assert played.output(0) == {}
    assert played.states(36) == ["completed"]
    output = played.output(0)
    assert (output["call_status"], output["duration"]) == ("completed", 30)
    assert "post_call_data" not in output
    assert played.run.status == "pending"
    played.states(60)
    assert "post_call_data" in played.output(0)
    assert played.run.status == "completed"


def test_the_first_evaluation_says_that_the_whole_run_is_completed() -> None:
    played = Played(3, lines=1, seconds=(30.0, 30.0), **ANSWERED)
    assert played.states(110) == ["completed", "completed", "in_progress"]
    assert played.run.status == "completed"


def test_tasks_that_are_made_after_the_first_evaluation_are_dialled(start: StartSandbox) -> None:
    calls = "[server.calls]\nno_answer = 0.0\nvoicemail = 0.0\nfault = 0.0\n"
    late = '[[faults]]\nname = "status"\nstatus = 500\nwhere = "late"\ncreated = 1\ndelay = 0.05\n'
    client = start(faults=calls + late, call_speed=1_000_000.0)
    assert client.create("a", "b", "c", "d").status_code == 500
    eventually(lambda: len(client.refs(SPACE)) == 4)
    (run,) = client.runs()
    assert run["status"] == "completed"
    eventually(lambda: {task["status"] for task in client.tasks()} == {"completed"})


def test_a_call_that_nobody_takes_is_dialled_again_twice() -> None:
    played = Played(1, no_answer=1.0, voicemail=0.0, fault=0.0)
    assert played.states(16) == ["failed"]
    assert played.output(0)["call_status"] == "no-answer"
    seen = [played.states(seconds)[0] for seconds in (120, 135)]
    assert seen == ["in_progress", "in_progress"]
    assert played.states(100_000) == ["failed"]
    assert len(played.dialler.log) == 3


def test_a_fault_goes_back_to_pending_three_times() -> None:
    played = Played(1, no_answer=0.0, voicemail=0.0, fault=1.0, lines=1)
    assert played.states(16) == ["failed"]
    assert played.states(100_000) == ["failed"]
    assert len(played.dialler.log) == 4


def test_lines_are_few_so_calls_queue_and_older_runs_go_first() -> None:
    played = Played(30, lines=15, lines_a_run=10, **ANSWERED)
    later = played.add(30)
    assert played.states(1).count("in_progress") == 10
    assert played.states(0, later).count("in_progress") == 5
    played.states(100_000)
    assert set(played.states(0) + played.states(0, later)) == {"completed"}


def test_what_nobody_knows_is_shown_while_it_rings_and_after_it() -> None:
    played = Played(1, unknown=1.0, **ANSWERED)
    assert played.states(1) == ["being-dialled"]
    played.states(200)
    assert played.output(0)["call_status"] == "handed-over"


def test_follow_ups_are_tasks_of_the_run_with_the_same_mark(start: StartSandbox) -> None:
    calls = "[server.calls]\nfollow_ups = 1.0\nfault = 0.0\nno_answer = 0.0\nlines = 500\n"
    client = start(faults=calls, call_speed=1_000_000.0, seed=3)
    run_id = client.create("a", "b").json()["data"]["run_id"]
    deadline = time.monotonic() + 10
    while len(tasks := client.tasks_of(run_id)) < 4:
        assert time.monotonic() < deadline
    originals = {task["task_id"] for task in tasks if "ref_id" in task}
    follow_ups = [task for task in tasks if "ref_id" not in task]
    assert {task["output"]["referenced_task"] for task in follow_ups} == originals
    assert {task["input"]["callspool_attempt"] for task in follow_ups} == {"a1"}
    log = client.read("call-logs/", page_size=2).json()
    assert log["count"] >= 2
    assert log["data"][0]["to_number"] == "+14155550123"
    assert "transcript" not in log["data"][0]
