from __future__ import annotations

from collections import Counter

from benchmarks.duel.rules import Obedience, judge_obedience, make_lists


def test_each_rule_counts_calls_and_a_repeated_number_has_one_cap_for_both_lists():
    lists = make_lists()
    created = Counter(document["document_id"] for document in lists.others)
    created.update([lists.suppressed[0]["document_id"]] * 2)
    created.update([lists.evening[0]["document_id"], lists.second[0]["document_id"]])
    assert judge_obedience("a", lists, created) == Obedience(
        "a",
        allowed=800,
        called=800,
        though_suppressed=2,
        out_of_hours=1,
        over_cap=2,  # the second calls of one who is suppressed, and of one on both lists
    )


def test_who_calls_nobody_breaks_no_rule_and_has_called_nobody():
    assert judge_obedience("a", make_lists(), Counter()) == Obedience("a", 800, 0, 0, 0, 0)
