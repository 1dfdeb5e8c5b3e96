from __future__ import annotations

import pytest

from callspool.request.identity import Scope
from callspool_ledger.selectors import Selector

SCOPES = {"a" * 20: Scope("acme", "8KZTOKEN", "spring")}
LANE = Selector(lane="a" * 20)


@pytest.mark.parametrize(
    "selector",
    [
        Selector(),
        Selector("acme"),
        Selector(campaign=""),
        Selector("acme", "odd=token|x", "a=b c"),
        LANE,
    ],
)
def test_a_selector_is_found_again_by_its_name(selector: Selector):
    assert Selector.from_name(selector.name) == selector


def test_gates_that_workers_park_are_selectors_too():
    assert Selector.of_gate("account:acme") == Selector("acme")
    assert Selector.of_gate("space:acme|odd|token") == Selector("acme", "odd|token")
    assert Selector.of_gate(f"lane:{LANE.lane}") == LANE


def test_a_wider_selector_contains_a_narrower_one_and_not_the_reverse():
    narrow = Selector("acme", "8KZTOKEN", "spring")
    for wide in (Selector(), Selector("acme"), Selector(campaign="spring"), narrow):
        assert wide.contains(narrow, {})
        assert wide.contains(LANE, SCOPES)
        assert wide.meets(narrow, {})
    assert not narrow.contains(Selector("acme"), {})
    assert not Selector("other").contains(LANE, SCOPES)
    assert not Selector("other").meets(LANE, SCOPES)
    assert Selector("acme").meets(Selector(campaign="spring"), {})
    assert not Selector(campaign="").meets(Selector(campaign="spring"), {})


def test_the_flags_of_a_selector_never_show_a_whole_space_token():
    assert Selector().flags == "--all"
    assert Selector(space_token="8KZTOKEN", campaign="late spring").flags == (
        "--space-token 8KZT… --campaign 'late spring'"
    )
