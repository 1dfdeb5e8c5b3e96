"""Reading back that fails: what is held, what heals, and what one bad run must not spoil."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from callspool_ledger.writes import follow_calls as writes
from callspool_worker.decisions.answers import Answer, Answered, NoAnswer
from callspool_worker.proving import findings as conclusion
from callspool_worker.proving import look as inquiry
from tests.support.ledgers import P
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.faults import fault, on_reads, server
from tests.worker.proving.stage import MAX_ATTEMPTS, QUIET

IDS = [f"crm-{n}" for n in range(10)]
SPACE = "default|SPACE"


@pytest.mark.parametrize(
    "broken",
    [
        on_reads(times=2),
        on_reads(status=500, times=2),
        on_reads(status=206, times=2),
        on_reads(status=404, times=2),
        on_reads(status=502, times=2),
        on_reads(status=429, times=2),
        on_reads(status=200, body="html", times=2),
        on_reads(name="hang", seconds=3, status=None, times=2),
        on_reads(name="drop", status=None, times=2),
        on_reads(name="cut", status=None, times=2),
        on_reads(name="refuse", field="access", status=None, times=2),
    ],
    ids=lambda text: " ".join(text.split()[1:]).replace("=", "").replace('"', "")[:60],
)
def test_what_cannot_be_read_back_stays_in_doubt_says_so_and_heals(
    set_up: SetUp, monkeypatch: pytest.MonkeyPatch, broken: str
):
    monkeypatch.setattr(inquiry, "HELD_AFTER", 0.0)
    stage = set_up(fault("after") + broken, quiet=0, quiet_answered=0)
    stage.accept(IDS)
    taken = stage.send()
    stage.look(2)
    assert stage.states(IDS) == "d" * 10
    assert stage.held(taken).startswith("its space cannot be read back: ")
    assert stage.spool.client.hexists(f"{P}:unreadable", SPACE)
    stage.look()
    assert stage.states(IDS) == "c" * 10
    assert not stage.spool.client.exists(f"{P}:unreadable", f"{P}:proofs")


def test_the_policy_to_send_again_waits_for_the_quiet_and_ends_with_the_tries(
    set_up: SetUp, caplog: pytest.LogCaptureFixture
):
    stage = set_up(fault("before", times=100) + on_reads(times=None), resend_unproven=True)
    stage.accept(IDS)
    for tries in range(1, MAX_ATTEMPTS + 1):
        taken = stage.send()
        stage.look()
        assert stage.states(IDS) == "d" * 10
        time.sleep(QUIET)
        stage.look()
        if tries < MAX_ATTEMPTS:
            assert stage.states(IDS) == "w" * 10
            assert stage.spool.counts()["unproven"] == tries * 10
        stage.end_rest()
    assert stage.states(IDS) == "d" * 10
    assert stage.held(taken) == f"sent {MAX_ATTEMPTS} times, and never proven"
    stage.look(2)
    assert caplog.text.count("times, and never proven") == 1


def test_a_passing_failure_sends_nothing_again_even_where_the_policy_is_to(set_up: SetUp):
    failing = on_reads(status=500, times=None)
    stage = set_up(fault("after") + failing, resend_unproven=True, quiet=0, quiet_answered=0)
    stage.accept(IDS)
    stage.send()
    stage.look(3)
    assert stage.states(IDS) == "d" * 10


def test_an_old_failure_is_forgotten_with_the_last_doubt_of_its_space(set_up: SetUp):
    stage = set_up(fault("after", times=2) + on_reads(status=500, times=1))
    stage.accept(IDS)
    old = stage.take()
    answer = stage.post(old)
    late = Answered(200, json={"status_code": 200, "data": {"run_id": "R1", "task_ids": IDS}})
    stage.record(old, answer)
    stage.look()
    stage.record(old, late)
    assert stage.states(IDS) == "c" * 10
    assert not stage.spool.client.exists(f"{P}:unreadable")


def test_one_run_that_cannot_be_read_holds_only_what_may_be_in_it(set_up: SetUp):
    stage = set_up(fault("after", times=2))
    stage.accept(["bad-1", "bad-2"])
    bad = stage.send()
    stage.accept(IDS)
    stage.send()
    get = stage.api.get

    def broken(account: str, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        answer = get(account, path, query)
        if len(path) == 5 and b"bad-1" in getattr(answer, "body", b""):
            return Answered(206, json={"status_code": 206, "message": "Invalid Run", "data": {}})
        return answer

    stage.api.get = broken  # type: ignore[method-assign,assignment]
    stage.look()
    time.sleep(QUIET)
    stage.look()
    assert stage.states(IDS) == "c" * 10
    assert stage.states(["bad-1", "bad-2"]) == "dd"
    assert "cannot be read: 206: Invalid Run" in stage.held(bad)
    stage.api.get = get  # type: ignore[method-assign]
    stage.look()
    assert stage.states(["bad-1", "bad-2"]) == "cc"


def test_a_run_that_never_answers_ends_the_look_at_first_and_spoils_no_other_doubt_later(
    set_up: SetUp, monkeypatch: pytest.MonkeyPatch
):
    stage = set_up(fault("after", times=2))
    stage.accept(IDS)
    stage.send()
    stage.accept(["bad-1", "bad-2"])
    stage.send()
    get = stage.api.get

    def silent(account: str, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        answer = get(account, path, query)
        if len(path) == 5 and b"bad-1" in getattr(answer, "body", b""):
            return NoAnswer("no answer in time", "timeout")
        return answer

    stage.api.get = silent  # type: ignore[method-assign,assignment]
    stage.look()
    assert stage.states(["bad-1", *IDS]) == "d" * 11
    monkeypatch.setattr(inquiry, "HELD_AFTER", 0.0)
    stage.look()
    assert stage.states(["bad-1", *IDS]) == "d" + "c" * 10


def test_a_run_that_cannot_be_read_for_now_is_not_sent_again_where_the_policy_is_to(
    set_up: SetUp,
):
    denied = on_reads(status=206, on="tasks", times=None)
    stage = set_up(fault("after") + denied, resend_unproven=True, quiet=0, quiet_answered=0)
    stage.accept(IDS)
    taken = stage.send()
    stage.look(2)
    assert (stage.states(IDS), "cannot be read" in stage.held(taken)) == ("d" * 10, True)


@pytest.mark.parametrize(
    "strange",
    [
        [{"no": "id"}],
        [None],
        ["R1"],
        [[]],
        [{"run_id": "", "task_id": ""}],
        [{"run_id": 7, "task_id": 7}],
    ],
)
def test_entries_that_cannot_be_understood_are_not_taken_for_absence(
    set_up: SetUp, strange: list[object], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inquiry, "HELD_AFTER", 0.0)
    stage = set_up(fault("after"), quiet=0, quiet_answered=0)
    stage.accept(IDS)
    taken = stage.send()
    page = Answered(200, json={"status_code": 200, "data": strange})
    stage.api.get = lambda *_: page  # type: ignore[method-assign]
    stage.look(2)
    assert stage.states(IDS) == "d" * 10
    assert "cannot be told by an id" in stage.held(taken)


def test_a_server_that_shows_only_its_first_page_proves_no_absence(
    set_up: SetUp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inquiry, "HELD_AFTER", 0.0)
    ways = server(pages="ignored", max_page_size=4)
    stage = set_up(ways + fault("after"), quiet=0, quiet_answered=0)
    stage.accept(IDS)
    taken = stage.send()
    stage.look(2)
    assert stage.states(IDS) == "d" * 10
    assert "whatever page is asked for" in stage.held(taken)
    for _ in range(5):
        stage.be_called_by_others("bob-1")
    stage.look(2)
    assert stage.states(IDS) == "d" * 10


def test_a_look_that_is_too_old_says_nothing_and_is_told(
    set_up: SetUp, monkeypatch: pytest.MonkeyPatch
):
    stage = set_up(fault("before"), quiet=0, quiet_answered=0)
    stage.accept(IDS)
    taken = stage.send()
    monkeypatch.setattr(writes, "LOOK_GOOD_MS", -1)
    stage.look(2)
    assert stage.states(IDS) == "d" * 10
    assert stage.held(taken) == conclusion.TOO_SLOW
    monkeypatch.undo()
    stage.look()
    assert (stage.states(IDS), stage.held(taken)) == ("w" * 10, "")


def test_doubts_that_are_held_do_not_keep_others_from_being_looked_at(
    set_up: SetUp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writes, "BATCHES_A_LOOK", 2)
    stage = set_up(server(input="none") + fault("after", times=5), marked=False)
    batches = []
    for n in range(5):
        stage.accept([f"crm-{n}"])
        batches.append(stage.send())
    stage.look(3)
    assert all(stage.held(one) for one in batches)
