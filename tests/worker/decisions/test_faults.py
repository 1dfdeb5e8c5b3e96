"""Whose fault a rejection names."""

from __future__ import annotations

from typing import Any

import pytest

from callspool_worker.decisions.wording import shared_fault
from tests.worker.decisions.replies import error, said


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"pilot": ["x"]}, "lane"),
        ({"Pilot": ["x"], "documents": ["x"]}, "lane"),
        ({"context": ["x"]}, "lane"),
        ({"schedule": {"calling_date": ["in the past"]}}, "lane"),
        ({"space_token": ["x"]}, "lane"),
        ({"Org-Handle": ["x"]}, "account"),
        ({"documents": [{"context": ["x"], "pilot": ["x"]}]}, None),
        ({"documents": ["the pilot cannot call them"]}, None),
        ({"something": ["about a pilot"]}, None),
        ({}, None),
        ([{"field": "pilot"}], "lane"),
        ([{"loc": ["body", "pilot"], "msg": "x"}], "lane"),
        ([{"loc": ["schedule", "type"], "msg": "x"}], "lane"),
        ([{"loc": ["body", "documents", 0, "context"], "msg": "x"}], None),
        ([{"loc": ["body"]}, {"loc": 7}, "x", None], None),
    ],
)
def test_fields_that_are_named_decide(fields: Any, level: str | None) -> None:
    assert shared_fault(error(206, "x", errors=fields).json, "x") == level
    assert shared_fault(said(422, {"detail": fields}).json, "x") == level


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("Invalid Space Token", "lane"),
        ("Invalid Space Token, please contact support", "lane"),
        ("Space not found", "lane"),
        ("You Don't have Access to this Space", "space"),
        ("You do not have permission to perform this action.", "space"),
        ("Org-Handle is required", "account"),
        ("Organization not found", "account"),
        ("Agent does not exist", "lane"),
        ("calling_date must be in the future", "lane"),
        ("Invalid schedule", "lane"),
        ("context is required", "lane"),
        ("nothing in this context", None),
        ("document 3: context is required", None),
        ("the contact number is invalid for this agent", None),
        ("There is some Validation error", None),
        ("", None),
    ],
)
def test_where_no_field_is_named_the_words_decide(words: str, level: str | None) -> None:
    assert shared_fault(error(206, words).json, words) == level
    assert shared_fault(None, words) == level
    vague = error(206, words, errors={"non_field_errors": [words]})
    assert shared_fault(vague.json, words) == level
