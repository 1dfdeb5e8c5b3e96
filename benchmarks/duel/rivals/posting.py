"""One create-call with httpx, and what its answer means to somebody who keeps no ledger."""

from __future__ import annotations

import os
from functools import cache

import httpx

from benchmarks.duel.roll import CONTEXT, PILOT, SPACE, Document
from benchmarks.duel.stage import REQUEST_TIMEOUT

API_URL = "DUEL_API_URL"
REDIS_URL = "DUEL_REDIS_URL"


class RefusedError(Exception):
    """The API says that the request itself is wrong: trying again cannot help."""


class ThrottledError(Exception):
    """The API asks for patience; ``seconds`` of it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"429, asked to wait {seconds} s")
        self.seconds = seconds


def post(documents: list[Document]) -> str:
    """Returns the `run_id`.

    Raises RefusedError, ThrottledError, or httpx.HTTPError for what may be tried again.
    """
    answer = _client().post(
        f"/api/v2/platform/spaces/{SPACE}/tasks/create/",
        json={
            "pilot": PILOT,
            "context": CONTEXT,
            "schedule": {"type": "now"},
            "documents": documents,
        },
    )
    if answer.status_code == 429:
        raise ThrottledError(float(answer.headers.get("Retry-After", 1)))
    if 400 <= answer.status_code < 500:
        raise RefusedError(f"{answer.status_code} for {documents[0]['document_id']}")
    answer.raise_for_status()
    return str(answer.json()["data"]["run_id"])


@cache
def _client() -> httpx.Client:
    return httpx.Client(
        base_url=os.environ[API_URL],
        headers={"Authorization": "Token rehearsal", "Org-Handle": "acme.example"},
        timeout=REQUEST_TIMEOUT,
        limits=httpx.Limits(max_connections=None),
    )
