"""Whether calls will ring: what the API answers 200 to all the same is looked up before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool.errors import SettingsError
from callspool_operators.doctor import examine_agents, examine_tasks
from callspool_worker import api
from callspool_worker.decisions.answers import Answered, NoAnswer

if TYPE_CHECKING:
    from callspool.request.call_request import CheckedEnvelope
    from callspool.settings import Settings
    from callspool_worker.decisions.answers import Answer

PATIENCE = 3.0
"""Seconds that each of three reads may take; where one fails, nothing is said."""


def read_first_task(unpod: api.UnpodApi, account: str, space: str, runs: Answer) -> Answer:
    """Reads the first task of the first run in a list of runs."""
    body = runs.json if isinstance(runs, Answered) else None
    rows = body.get("data") if isinstance(body, dict) else None
    run = rows[0].get("run_id") if isinstance(rows, list) and rows and rows[0] else None
    if not isinstance(run, str):
        return NoAnswer("the space has no run yet", "unreadable")
    path = "spaces", space, "runs", run, "tasks"
    return unpod.get(account, path, {"page": 1, "page_size": 1})


def find_silence(settings: Settings, envelope: CheckedEnvelope) -> list[str]:
    """Returns why calls would not ring although the API creates them, a line each.

    The agent has to be published, the org handle known, and the space made for calls (R).
    """
    name, space = envelope.account, envelope.space_token
    accounts = {name: settings.account(name)}
    try:
        unpod = api.UnpodApi(accounts, request_timeout=PATIENCE, max_connections=1)
    except SettingsError:
        return []  # it is told where the run starts
    with unpod:
        agents = unpod.get(name, ("agents",), {"page": 1, "page_size": 1000})
        if not isinstance(agents, Answered):
            return []
        found = [*examine_agents(name, agents, envelope.pilot)]
        runs = unpod.get(name, ("spaces", space, "runs"), {"page": 1, "page_size": 1})
        found += examine_tasks(name, read_first_task(unpod, name, space, runs))
    return [f"{each.said}: {each.remedy}" for each in found if each.health != "ok"]
