"""One create-call with httpx, by somebody who keeps no ledger."""

from __future__ import annotations

import os
from functools import cache

import httpx

from benchmarks.speed.contacts import CONTEXT, PILOT, SCHEDULE, SPACE, Document

API_URL = "SPEED_API_URL"
REDIS_URL = "SPEED_REDIS_URL"
PATH = f"/api/v2/platform/spaces/{SPACE}/tasks/create/"
HEADERS = {"Authorization": "Token rehearsal", "Org-Handle": "acme.example"}


def post(documents: list[Document]) -> str:
    """Returns the `run_id`; raises httpx.HTTPError."""
    answer = _client().post(
        PATH,
        json={"pilot": PILOT, "context": CONTEXT, "schedule": SCHEDULE, "documents": documents},
    )
    answer.raise_for_status()
    return str(answer.json()["data"]["run_id"])


@cache
def _client() -> httpx.Client:
    return httpx.Client(base_url=os.environ[API_URL], headers=HEADERS, timeout=60)
