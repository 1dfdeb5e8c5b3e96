"""What the list of agents tells of calls that would not ring."""

from __future__ import annotations

from pathlib import Path

import pytest

from callspool.request.call_request import CheckedEnvelope
from callspool.request.identity import Scope
from callspool.settings import load_settings
from callspool_operators.commands.doctor import examine_apis, find_silence
from callspool_operators.doctor import examine_agents, examine_api, examine_tasks
from callspool_sandbox.process import SandboxProcess
from callspool_worker.api import UnpodApi
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


@pytest.mark.parametrize(
    ("answer", "healths"),
    [
        (
            said(200, {"count": 1, "data": [{"task_id": "T1", "execution_type": "email"}]}),
            ["problem"],
        ),
        (said(200, {"count": 1, "data": [{"task_id": "T1", "execution_type": "call"}]}), []),
        (said(200, {"count": 1, "data": [{"task_id": "T1"}]}), []),
        (said(200, {"count": 0, "data": []}), []),
        (said(206, {"data": {}}), []),
        (NotSent("refused"), []),
    ],
)
def test_a_space_that_is_not_made_for_calls_is_a_problem(
    answer: Answered, healths: list[str]
) -> None:
    assert [each.health for each in examine_tasks("default", answer)] == healths


def test_before_a_run_all_that_would_keep_calls_from_ringing_is_told(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[server]\nexecution_types = { MAIL = "email" }\n')
    with SandboxProcess(faults=faults, org_handle="right.example") as sandbox:
        settings = load_settings(
            {
                "CALLSPOOL_API_URL": sandbox.url,
                "CALLSPOOL_API_TOKEN": "tok-0123456789abcdef",
                "CALLSPOOL_ORG_HANDLE": "wrong.example",
            }
        )
        envelope = CheckedEnvelope(
            space_token="MAIL", pilot="an-agent", context="Hello", schedule={"type": "now"}
        )
        with UnpodApi(settings.accounts, request_timeout=5.0, max_connections=1) as api:
            document = b'{"name":"Ada","contact_number":"+14155550100"}'
            body = b'{"pilot":"an-agent","context":"Hello","documents":[%b]}' % document
            assert isinstance(api.create("default", "MAIL", body), Answered)
        said = find_silence(settings, envelope)
        scopes = [Scope("default", space, "") for space in ("MAIL", "newer")]
        told = [each.said for each in examine_apis(settings, scopes)]
    assert len(said) == 2
    assert "the org handle is not known" in said[0]
    assert "no calls (execution_type email)" in said[1]
    assert [each for each in told if "no calls" in each], "of each space, not of the last alone"
    assert find_silence(settings, envelope) == [], "an API that is away is told elsewhere"


def test_an_api_that_has_moved_is_told_with_its_place_and_the_setting() -> None:
    moved = Answered(301, location="https://new.example/")
    (found,) = examine_api("default", moved, space=False, now=0.0)
    assert found.health == "problem"
    assert "https://new.example/" in found.said
    assert "CALLSPOOL_API_URL" in found.remedy
