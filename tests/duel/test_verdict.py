from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import msgspec

from benchmarks.duel.match import LogTail
from benchmarks.duel.roll import Roll, call_the_roll
from benchmarks.duel.table import table
from benchmarks.duel.verdict import Outcome, Records, Truth, Verdict, judge

FATES = (
    "called_once",
    "called_twice",
    "lost",
    "uncalled_in_doubt",
    "given_up",
    "refused",
    "open",
)


def a_roll() -> Roll:
    """a to h: h is the one that the API refuses, a and b are enqueued twice."""
    documents = [{"document_id": letter} for letter in "abcdefgh"]
    return Roll(documents, documents[:2], frozenset("h"))


def request(*created: str, fault: str | None = None, method: str = "POST") -> dict[str, object]:
    return {"event": "request", "method": method, "created": list(created), "fault": fault}


def verdict_of(lines: list[dict[str, object]], records: Records) -> Verdict:
    truth = Truth()
    truth.add(lines)
    verdict = judge(a_roll(), truth, records)
    assert sum(asdict(verdict)[fate] for fate in FATES) == verdict.contacts == 8
    return verdict


def test_the_log_decides_who_was_called_and_the_records_what_became_of_the_rest():
    lines = [
        request("a", "b", "c"),
        request(fault="status 500 before"),
        request("d", fault="drop amid"),
        {"event": "created_late", "request": 3, "created": ["c"]},
        request("a"),
        {"event": "incomplete_request", "request": 5},
        request(method="GET"),
    ]
    records = Records(open=frozenset("e"), given_up=frozenset("fh"), in_doubt=frozenset("dg"))
    verdict = verdict_of(lines, records)
    assert (verdict.called_once, verdict.called_twice, verdict.twice_unasked) == (2, 2, 1)
    assert (verdict.in_doubt, verdict.uncalled_in_doubt) == (2, 1)
    assert (verdict.open, verdict.given_up, verdict.refused, verdict.lost) == (1, 1, 1, 0)
    assert (verdict.posts, verdict.reads) == (4, 1)
    assert verdict.faults == {"drop amid": 1, "status 500 before": 1}


def test_who_was_never_called_and_is_in_no_record_is_lost_even_if_the_api_would_have_refused():
    verdict = verdict_of([request("a", "b", "c")], Records(given_up=frozenset("def")))
    assert (verdict.lost, verdict.refused, verdict.given_up) == (2, 0, 3)


def test_a_failure_on_record_does_not_hide_that_somebody_was_called():
    records = Records(open=frozenset("a"), given_up=frozenset("bcdefgh"))
    verdict = verdict_of([request("a"), request("b", "b")], records)
    assert (verdict.called_once, verdict.called_twice, verdict.given_up) == (1, 1, 5)


def test_a_line_of_the_log_that_is_still_being_written_is_counted_once_it_is_whole(tmp_path: Path):
    log = tmp_path / "api.jsonl"
    first, second = (msgspec.json.encode(request(letter)) for letter in "ab")
    log.write_bytes(first + b"\n" + second[:9])
    tail, truth = LogTail(log), Truth()
    truth.add(tail.lines())
    assert (dict(truth.created), truth.posts) == ({"a": 1}, 1)
    log.write_bytes(first + b"\n" + second + b"\n")
    truth.add(tail.lines())
    truth.add(tail.lines())
    assert (dict(truth.created), truth.posts) == ({"a": 1, "b": 1}, 2)


def test_everybody_gets_the_same_list_and_a_twentieth_of_it_twice():
    roll = call_the_roll(5000, seed=7)
    assert roll == call_the_roll(5000, seed=7)
    assert len({document["document_id"] for document in roll.documents}) == 5000
    assert len({document["contact_number"] for document in roll.documents}) == 5000
    assert len(roll.repeated_ids) == 250
    marked = {each["document_id"] for each in roll.documents if each.get("sandbox") == "reject"}
    assert marked == roll.refused
    assert len(marked) == 1


def test_the_table_has_a_row_for_each_and_says_who_was_stopped():
    records = Records(in_doubt=frozenset("gh"))
    verdict = verdict_of([request("a", "b", "c"), request("c", "d")], records)
    done = Outcome("rival", "as its docs advise", verdict, 61.4, kills=4, finished=True)
    stopped = Outcome("callspool", "batches of 100", verdict, 9.6, kills=4, finished=False)
    printed = table([done, stopped])
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in printed.splitlines()
        if line.startswith("|")
    ]
    assert rows[0][1:6] == ["called once", "called twice", "lost", "in doubt", "given up"]
    assert rows[2] == ["rival", "3", "1 (1)", "2", "2 (2)", "0", "0", "0", "2", "0", "61"]
    assert rows[3][0] == "callspool"
    assert "- rival: as its docs advise." in printed
    assert "callspool was stopped before it was done" in printed
    assert "rival was stopped" not in printed
