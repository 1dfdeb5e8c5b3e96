"""What the list of agents tells of calls that would not ring."""

from __future__ import annotations

import pytest

from callspool_operators.doctor import examine_agents, examine_api
from callspool_worker.decisions.answers import Answered, NotSent
from tests.worker.decisions.replies import said

ROWS = [{"handle": "space-agent-1", "state": "published"}]


@pytest.mark.parametrize(
    ("answer", "pilot", "healths"),
    [
        (said(200, {"count": 1, "data": ROWS}), "space-agent-1", ["ok"]),
        (said(200, {"count": 1, "data": ROWS}), "space-agent-2", ["warning"]),
        (said(200, {"count": 9, "data": ROWS}), "space-agent-2", []),
        (said(200, {"count": 1, "data": ROWS}), "", []),
        (said(404, {"message": "Organization not found"}), "p", ["problem"]),
        (said(400, {"status_code": 400, "message": "Organization handle"}), "", ["problem"]),
        (said(403, {"message": "no"}), "p", []),
        (NotSent("refused"), "p", []),
    ],
)
def test_an_agent_or_an_organisation_that_is_not_known_is_a_problem(
    answer: Answered, pilot: str, healths: list[str]
) -> None:
    assert [each.health for each in examine_agents("default", answer, pilot)] == healths


def test_an_api_that_has_moved_is_told_with_its_place_and_the_setting() -> None:
    moved = Answered(301, location="https://new.example/")
    (found,) = examine_api("default", moved, space=False, now=0.0)
    assert found.health == "problem"
    assert "https://new.example/" in found.said
    assert "CALLSPOOL_API_URL" in found.remedy
