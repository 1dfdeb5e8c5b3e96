"""Documents in doubt are listed, confirmed or sent again by operators, whoever else is at work."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from callspool.request.identity import Scope
from callspool_ledger.reads.doubts import read_doubt, read_doubts
from callspool_ledger.reads.gates import read_journal
from callspool_ledger.reads.lookup import read_batches, read_places, read_statuses, read_stories
from callspool_ledger.reads.summary import read_clock
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Doubts
from callspool_ledger.writes import LaneKey, Taken
from callspool_operators.terminal import screen
from tests.operators.conftest import Call, call  # noqa: F401 - a fixture
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, digest, group
from tests.worker.proving.conftest import SetUp, set_up  # noqa: F401 - a fixture
from tests.worker.proving.stage import QUIET

IDS = [f"c{number}" for number in range(5)]
SPRING = LANE._replace(space_token="8KZTOKEN", campaign="spring")
SUMMER = LANE._replace(campaign="summer")
SCOPE = Scope(*LANE[:3])
EVERYTHING = Selector()


def doubt(spool: LedgerUnderTest, taken: Taken, *, answered: bool = False) -> None:
    proof = b'{"answered":true}' if answered else b'{"answered":false}'
    step = calls.doubt(
        taken, outcome="server_error", code="500", detail="Internal Server Error", proof=proof
    )
    spool.ledger.run([step])


def take(spool: LedgerUnderTest, name: str) -> Taken:
    taken = spool.ledger.take(name, ["default"])
    assert taken is not None
    return taken


def created(spool: LedgerUnderTest, taken: Taken, run: str) -> Any:
    tasks = [f"T{run}-{at}" for at in range(taken.count)]
    return spool.ledger.run([calls.record_created(taken, run, tasks, "200")])[0]


def hold(spool: LedgerUnderTest, taken: Taken) -> None:
    observe = calls.observe(taken.batch, taken.attempt, found="", held="nobody may read it")
    spool.ledger.run([observe])


def states(spool: LedgerUnderTest, ids: list[str] = IDS, lane: LaneKey = LANE) -> str:
    return "".join(spool.state(one, lane) for one in ids)


@pytest.fixture
def five(spool: LedgerUnderTest) -> Taken:
    """Five documents in doubt that were sent together; the attempt."""
    spool.accept(group(IDS))
    taken = take(spool, "me:1")
    doubt(spool, taken)
    return taken


@pytest.fixture
def ann(spool: LedgerUnderTest) -> Doubts:
    """An operator of that ledger."""
    return Doubts([spool.client], "ann@desk")


def test_the_list_tells_why_since_when_and_how_the_proof_stands(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    spool.accept(group(["c1"], SPRING))
    other = take(spool, "me:2")
    doubt(spool, other, answered=True)
    hold(spool, other)
    documents, total = ann.reader.ask(read_doubts(EVERYTHING, 3))
    assert ([one.document_id for one in documents], total) == (IDS[:3], 6)
    assert {one.reason for one in documents} == {"Internal Server Error"}
    assert (documents[0].held, documents[0].found, documents[0].answered) == ("", None, False)
    assert documents[0].next_look_at is not None
    assert documents[0].changed_at == documents[0].since
    (held,), total = ann.reader.ask(read_doubts(EVERYTHING, 50, only_held=True))
    assert (held.document_id, held.scope.campaign, total) == ("c1", "spring", 1)
    assert (held.held, held.answered) == ("nobody may read it", True)
    assert ann.reader.ask(read_doubts(Selector(account="else"), 50)) == ([], 0)
    assert [one.scope.campaign for one in ann.reader.ask(read_doubt("c1", EVERYTHING))] == [
        "spring",
        "",
    ]
    assert ann.reader.ask(read_doubt("c1", Selector(campaign=""), only_held=True)) == []
    spool.ledger.run([calls.observe(five.batch, five.attempt, found="R1:2", held="")])
    looked = spool.ledger.look("me", ["default"])
    assert looked is not None
    seen = [ann.reader.ask(read_doubt("c1", Selector(campaign=name)))[0] for name in ("", "spring")]
    assert seen[0].found is True
    assert [one.next_look_at is None for one in seen].count(True) == 1
    spool.ledger.run([calls.end_look("me", looked.key, 1000, read="not")])
    seen = [ann.reader.ask(read_doubt("c1", Selector(campaign=name)))[0] for name in ("", "spring")]
    assert [one.unreadable_since is None for one in seen].count(True) == 1


def test_what_is_confirmed_is_created_and_counted_apart_and_twice_changes_nothing(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    spool.accept(group(["c1"], SPRING))
    doubt(spool, take(spool, "me:2"))
    submissions = spool.client.hgetall(f"{P}:submissions")
    assert ann.confirm(Selector(campaign=""), "R0042") == 5
    assert ann.confirm(Selector(campaign="")) == 0
    assert states(spool) == "ccccc"
    counts = spool.counts()
    assert (counts["confirmed"], counts["created"], counts["in_doubt"]) == (5, 5, 1)
    assert spool.client.hgetall(f"{P}:submissions") == submissions
    assert counts["runs"] == 0
    status = ann.reader.ask(read_statuses(SCOPE, ["c3"]))[0]
    assert status is not None
    assert (status.run_id, status.task_id, status.attempts) == ("R0042", None, 1)
    story = ann.reader.ask(read_stories("c3"))[0]
    assert (story.attempts[-1].outcome, story.attempts[-1].detail) == ("confirmed", "by ann@desk")
    assert [(one.command, one.documents) for one in ann.reader.ask(read_journal(9))] == [
        ("doubts confirm", 5)
    ]
    assert not spool.client.exists(f"{P}:p{five.batch}")
    assert spool.accept(group(["c1"])).duplicate == 1
    spool.check()


def test_one_document_of_a_batch_is_confirmed_without_ids_and_the_others_stay_in_doubt(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    assert [one.done for one in ann.confirm_one("c2", EVERYTHING)] == [True]
    assert [(one.done, one.letter) for one in ann.confirm_one("c2", EVERYTHING)] == [(False, "c")]
    assert ann.confirm_one("nobody", EVERYTHING) == []
    assert states(spool) == "ddcdd"
    found = ann.reader.ask(read_statuses(SCOPE, IDS))
    assert [one and one.state for one in found] == ["in_doubt"] * 2 + ["created"] + ["in_doubt"] * 2
    assert found[2] is not None
    assert (found[2].run_id, found[2].task_id) == (None, None)
    outcomes = [
        [one.outcome for one in ann.reader.ask(read_stories(name))[0].attempts] for name in IDS[1:3]
    ]
    assert outcomes == [["server_error"], ["server_error", "confirmed"]]
    ann.confirm_one("c4", EVERYTHING, "R7", "T7")
    last = ann.reader.ask(read_statuses(SCOPE, ["c4"]))[0]
    assert last is not None
    assert (last.run_id, last.task_id) == ("R7", "T7")
    entry = ann.reader.ask(read_batches([five.batch]))[five.batch]
    assert entry.created_ms(4) >= entry.doubted_ms
    assert ann.resend(EVERYTHING) == 3
    again = take(spool, "me:2")
    assert again.count == 3
    assert created(spool, again, "R8") == [3, 0]
    assert spool.counts()["created_twice"] == 0
    spool.check()


def test_a_late_200_fills_in_what_was_confirmed_and_is_no_second_creation(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    ann.confirm_one("c0", EVERYTHING, "R-mistyped", "T-mistyped")
    ann.confirm(EVERYTHING)
    assert created(spool, five, "R1") == [0, 0]
    found = ann.reader.ask(read_statuses(SCOPE, IDS))
    assert [(one.run_id, one.task_id) for one in found if one] == [
        ("R1", f"TR1-{at}") for at in range(5)
    ]
    counts = spool.counts()
    assert (counts["created"], counts["created_twice"], counts["runs"]) == (5, 0, 1)
    assert created(spool, five, "R1") == [-1, 0], "it is known"
    assert spool.counts() == counts
    spool.check()


def test_an_earlier_attempt_that_comes_late_after_a_confirmation_counts_as_a_second_creation(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    assert ann.resend(EVERYTHING) == 5
    second = take(spool, "me:2")
    doubt(spool, second)
    assert ann.confirm(EVERYTHING) == 5
    assert created(spool, five, "R1") == [0, 5]
    assert created(spool, second, "R2") == [0, 0]
    counts = spool.counts()
    assert (counts["created"], counts["created_twice"]) == (5, 5)
    assert [one.run_id for one in ann.reader.ask(read_statuses(SCOPE, IDS)) if one] == ["R1"] * 5
    spool.check()


def test_the_run_that_an_operator_named_may_be_an_earlier_attempts(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    ann.resend(EVERYTHING)
    doubt(spool, take(spool, "me:2"))
    ann.confirm(EVERYTHING, "R1")
    assert created(spool, five, "R1") == [0, 0]
    assert spool.counts()["created_twice"] == 0
    spool.check()


def test_what_is_sent_again_waits_with_all_its_tries_and_is_counted_as_unproven(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    assert ann.resend(EVERYTHING) == 5
    assert ann.resend(EVERYTHING) == 0
    assert states(spool) == "wwwww"
    counts = spool.counts()
    assert (counts["resent"], counts["unproven"], counts["accepted"]) == (5, 5, 5)
    assert spool.client.zcard(f"{P}:proofs") == 0
    again = take(spool, "me:2")
    assert (again.count, again.tries) == (5, 0)
    assert created(spool, five, "R1") == [0, 0]
    assert created(spool, again, "R2") == [5, 5]
    counts = spool.counts()
    assert (counts["created"], counts["created_twice"]) == (5, 5)
    assert [one.command for one in ann.reader.ask(read_journal(9))] == ["doubts resend"]
    spool.check()


def test_a_late_200_settles_what_was_sent_again_before_it_is_taken(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    assert ann.resend(EVERYTHING) == 5
    assert created(spool, five, "R1") == [5, 0]
    assert spool.ledger.take("me:2", ["default"]) is None
    assert spool.counts()["created_twice"] == 0
    spool.check()


def test_one_document_is_sent_again_and_a_late_200_finds_it_wherever_it_is(
    spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    assert [one.done for one in ann.resend_one("c2", EVERYTHING)] == [True]
    assert [one.letter for one in ann.resend_one("c2", EVERYTHING)] == ["w"]
    assert states(spool) == "ddwdd"
    again = take(spool, "me:2")
    assert (again.count, again.tries, b'"c2"' in again.documents) == (1, 0, True)
    doubt(spool, again)
    assert ann.reader.ask(read_doubts(EVERYTHING, 9))[1] == 5
    ann.confirm_one("c2", EVERYTHING)
    assert created(spool, five, "R1") == [4, 1]
    assert created(spool, again, "R2") == [0, 0]
    assert states(spool) == "ccccc"
    counts = spool.counts()
    assert (counts["created"], counts["created_twice"], counts["runs"]) == (5, 1, 2)
    spool.check()


@pytest.mark.parametrize("verb", ["confirm", "resend"])
def test_what_came_into_doubt_after_the_question_or_may_yet_be_proven_is_left_alone(
    verb: str, spool: LedgerUnderTest, five: Taken, ann: Doubts
):
    act: Callable[..., int] = getattr(ann, verb)
    assert act(EVERYTHING, till_ms=ann.reader.ask(read_clock()) - 3_600_000) == 0
    assert act(EVERYTHING, only_held=True) == 0
    hold(spool, five)
    assert act(Selector(lane="0" * 20), only_held=True) == 0
    assert act(Selector(lane=five.lane_id), only_held=True) == 5
    spool.check()


def test_many_batches_in_several_spaces_are_changed_in_bounded_pieces(
    spool: LedgerUnderTest, ann: Doubts
):
    many = [f"m{number}" for number in range(3000)]
    lanes = [LANE._replace(space_token=f"SPACE{number}") for number in range(2)]
    spool.accept(*(group(many, lane) for lane in lanes))
    for number in range(600):
        doubt(spool, take(spool, f"me:{number}"))
    told: list[int] = []
    bea = Doubts([spool.client], "bea", told.append)
    assert bea.reader.ask(read_doubts(EVERYTHING, 1))[1] == 6000
    assert bea.resend(Selector(space_token="SPACE0")) == 3000
    assert len(told) > 3
    assert bea.confirm(EVERYTHING) == 3000
    assert [entry.documents for entry in bea.reader.ask(read_journal(9))] == [3000, 3000]
    spool.check()


def test_a_word_without_a_run_keeps_older_attempts_from_taking_that_run_for_theirs(
    set_up: SetUp,  # noqa: F811
):
    faults = '[[faults]]\nname = "status"\nstatus = 500\nwhere = "after"\ntimes = 1\n'
    faults += '[[faults]]\nname = "status"\nstatus = 500\nwhere = "before"\ntimes = 1\n'
    stage = set_up(faults, marked=False)
    stage.accept(IDS)
    stage.send()
    stage.accept(IDS, SUMMER)
    stage.send()
    stage.look()
    assert stage.states(IDS) + stage.states(IDS, SUMMER) == "d" * 10
    Doubts([stage.spool.client], "ann").confirm(Selector(campaign=""))
    stage.look()
    assert stage.states(IDS) + stage.states(IDS, SUMMER) == "c" * 5 + "d" * 5
    assert Doubts([stage.spool.client], "ann").resend(Selector(), only_held=True) == 5
    stage.send()
    assert set(stage.made().values()) == {2}


def test_a_reconciler_that_proves_the_same_documents_leaves_the_counts_whole(
    set_up: SetUp,  # noqa: F811
):
    fault = '[[faults]]\nname = "status"\nstatus = 500\nwhere = "after"\n'
    stage = set_up(fault)
    batches = [[f"b{number}-{at}" for at in range(10)] for number in range(12)]
    for ids in batches:
        stage.accept(ids)
    sent = [stage.take() for _ in batches]
    for taken, answer in [(taken, stage.post(taken)) for taken in sent]:
        stage.record(taken, answer)
    ann = Doubts([stage.spool.client], "ann")
    begin = threading.Barrier(2)

    def decide() -> None:
        begin.wait()
        for number, ids in enumerate(batches):
            for one in ids:
                if number % 3:
                    ann.confirm_one(one, EVERYTHING)
                elif number:
                    ann.resend_one(one, EVERYTHING)

    operator = threading.Thread(target=decide)
    operator.start()
    begin.wait()
    while operator.is_alive():
        stage.spool.client.zadd(f"{P}:proofs", {"default|SPACE": 0}, xx=True)
        stage.prover.look("me")
    operator.join()
    stage.look()
    ann.confirm(EVERYTHING)
    stage.spool.check()
    counts = stage.spool.counts()
    every = [one for ids in batches for one in ids]
    assert set(stage.states(every)) <= {"c", "w"}
    assert stage.states(every).count("w") <= counts["resent"] == counts["unproven"]
    assert counts["created_twice"] == 0
    assert set(stage.made().values()) == {1}


@pytest.mark.parametrize(
    ("where", "after", "resent"), [("after", "ccccc", 1), ("before", "cwwww", 4)]
)
def test_an_operator_decides_between_what_a_look_reads_and_what_it_records(
    where: str,
    after: str,
    resent: int,
    set_up: SetUp,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    stage = set_up(f'[[faults]]\nname = "status"\nstatus = 500\nwhere = "{where}"\ntimes = 1\n')
    stage.accept(IDS)
    stage.send()
    ann, read = Doubts([stage.spool.client], "ann"), stage.api.get

    def get(*asked: Any) -> Any:
        answer = read(*asked)
        ann.confirm_one("c0", EVERYTHING)
        ann.resend_one("c1", EVERYTHING)
        return answer

    monkeypatch.setattr(stage.api, "get", get)
    stage.look()
    time.sleep(QUIET if where == "before" else 0)
    stage.look()
    assert stage.states(IDS) == after
    stage.spool.check()
    counts = stage.spool.counts()
    assert (counts["confirmed"], counts["unproven"], counts["resent"]) == (1, 1, resent)
    assert counts["created_twice"] == 0


def test_the_rest_of_a_batch_is_still_proven_and_what_was_decided_takes_the_proof_too(
    set_up: SetUp,  # noqa: F811
):
    stage = set_up('[[faults]]\nname = "status"\nstatus = 500\nwhere = "after"\ntimes = 1\n')
    stage.accept(IDS)
    stage.send()
    ann = Doubts([stage.spool.client], "ann")
    ann.confirm_one("c1", EVERYTHING, "R-typed")
    ann.resend_one("c2", EVERYTHING)
    assert stage.states(IDS) == "dcwdd"
    stage.look()
    assert stage.states(IDS) == "ccccc"
    assert stage.ledger.take("me:9", ["default"]) is None
    found = [one for one in ann.reader.ask(read_statuses(SCOPE, IDS)) if one]
    assert len({one.run_id for one in found}) == 1
    assert len({one.task_id for one in found}) == 5
    assert found[1].run_id != "R-typed"
    counts = stage.spool.counts()
    assert (counts["confirmed"], counts["proven"], counts["created_twice"]) == (1, 4, 0)
    assert set(stage.made().values()) == {1}


def test_what_is_missing_is_decided_by_whoever_comes_first(
    set_up: SetUp,  # noqa: F811
):
    stage = set_up('[[faults]]\nname = "status"\nstatus = 500\nwhere = "before"\ntimes = 1\n')
    stage.accept(IDS)
    stage.send()
    ann = Doubts([stage.spool.client], "ann")
    ann.confirm_one("c0", EVERYTHING)
    ann.resend_one("c1", EVERYTHING)
    stage.look()
    time.sleep(QUIET)
    stage.look()
    assert stage.states(IDS) == "cwwww"
    stage.end_rest()
    for _ in range(3):  # the document that the API stopped at goes alone
        stage.send()
    assert set(stage.made().values()) == {1}
    assert stage.states(IDS) == "ccccc"
    counts = stage.spool.counts()
    assert (counts["resent"], counts["unproven"], counts["created_twice"]) == (4, 1, 0)


@pytest.fixture
def ask(call: Call, spool: LedgerUnderTest, redis_url: str) -> Call:  # noqa: F811
    """Runs a command on a ledger with five documents in doubt and two held ones, as ann."""
    spool.accept(group(IDS), group(["c1", "h1"], SPRING))
    for name in ("me:1", "me:2"):
        taken = take(spool, name)
        doubt(spool, taken)
        if taken.lane.campaign:
            hold(spool, taken)

    def run(*arguments: str, **environment: str) -> Any:
        return call(*arguments, "--redis", redis_url, CALLSPOOL_OPERATOR="ann", **environment)

    return run


def test_doubts_are_listed_confirmed_and_sent_again_as_typed(ask: Call, spool: LedgerUnderTest):
    lines = ask("doubts", "list").out.splitlines()
    shared = [line for line in lines if "Internal Server Error; being read back, not" in line]
    assert len(shared) == 1  # of five documents, said once
    assert shared[0].startswith("5 documents: ")
    assert lines[lines.index(shared[0]) + 1].endswith("c0 (space SPACE)")
    assert len(lines) == 1 + 5 + 1 + 2
    held = ask("doubts", "list", "--held", "--limit", "1").out.splitlines()
    assert held[0].endswith("; held: nobody may read it")
    assert "8KZT…, campaign spring" in held[0]
    assert held[1] == "and 1 document more (--limit)"
    found = ask("doubts", "list", "--json", "--document-id", "c1").json
    assert [one["held"] for one in found["documents"]] == ["nobody may read it", None]
    assert [one["quiet_until"] is None for one in found["documents"]] == [True, False]
    assert (found["total"], found["more"]) == (2, 0)
    for word in ("confirm", "resend"):
        assert f"callspool doubts {word} --document-id h1" in ask("show", "h1").out
    assert "callspool doubts list" in ask("show", "c0").out
    one = ask(
        "doubts", "confirm", "--yes", "--document-id", "h1", "--run-id", "R1", "--task-id", "T1"
    )
    assert (one.code, one.out) == (
        0,
        "h1 counts as created (account default, space 8KZT…, campaign spring).\n",
    )
    assert ask("doubts", "confirm", "--yes", "--document-id", "h1").code == 0
    assert ask("doubts", "resend", "--yes", "--document-id", "h1").code == 1
    assert ask("doubts", "resend", "--yes", "--document-id", "nobody").code == 1
    shown = ask("show", "h1").out
    assert "confirmed" in shown
    assert "ann: doubts confirm document h1: 1 document" in shown
    both = ask("doubts", "resend", "--yes", "--document-id", "c1", "--json").json
    assert (both["resent"], [one["was"] for one in both["documents"]]) == (2, ["in_doubt"] * 2)
    result = ask("doubts", "confirm", "--yes", "--all", "--json").json
    assert (result["confirmed"], result["in_doubt"]) == (4, 0)
    assert ask("doubts", "list").out == "Nothing is in doubt here.\n"
    assert "0 documents resent (everything)." in ask("doubts", "resend", "--yes", "--all").out
    assert json.loads(ask("doubts", "list", "--json").out)["documents"] == []
    spool.check()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["confirm"], "--all"),
        (["resend"], "--all"),
        (["confirm", "--all", "--task-id", "T1"], "--document-id"),
        (["confirm", "--document-id", "c1", "--task-id", "T1"], "more than once"),
        (["confirm", "--all", "--run-id", ""], "--run-id"),
        (["confirm", "--all", "--run-id", "R\x1b"], "--run-id"),
        (["resend", "--document-id", "c1", "--held"], "--held"),
        (["resend", "--all"], "--yes"),
        (["confirm", "--document-id", "c1"], "--yes"),
    ],
)
def test_wrong_use_is_one_line_and_changes_nothing(
    arguments: list[str], word: str, ask: Call, spool: LedgerUnderTest
):
    result = ask("doubts", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert word in result.err
    assert spool.counts()["in_doubt"] == 7


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """On a terminal, somebody who answers no; what was asked."""
    asked: list[str] = []

    def refuse(text: str) -> bool:
        asked.append(text)
        return False

    with monkeypatch.context() as patched:
        patched.setattr(screen, "is_there", lambda: True)
        patched.setattr(screen, "agrees", refuse)
        yield asked


def test_it_asks_first_and_warns_that_people_may_be_called_twice(
    refusals: list[str], ask: Call, spool: LedgerUnderTest
):
    before = spool.counts()
    for arguments in (["confirm", "--all"], ["resend", "--held", "--all"]):
        result = ask("doubts", *arguments)
        assert (result.code, result.out) == (130, "")
    assert ask("doubts", "resend", "--document-id", "c1").code == 130
    assert "Count 7 documents in doubt (everything) as created" in refusals[0]
    assert "may yet prove 5 of them" in refusals[0]
    assert "Send 2 documents in doubt (everything) again" in refusals[1]
    assert all("called twice" in question for question in refusals[1:])
    assert spool.counts() == before
    assert ask("doubts", "resend", "--all", "--yes").code == 0
    assert spool.counts()["unproven"] == 7


def test_the_identity_of_a_confirmed_document_is_found_by_its_digest(
    spool: LedgerUnderTest, five: Taken, ann: Doubts, client: redis.Redis
):
    ann.confirm(EVERYTHING)
    (place,) = ann.reader.ask(read_places([digest("c4")]))
    assert place is not None
    assert (place.batch, place.letter) == (five.batch, "c")
    assert client.hget(f"{P}:b{five.batch}", "phase") == b"done"
