"""Answers of the API as values, short to write in tables."""

from __future__ import annotations

from typing import Any

import msgspec

from callspool_worker.decisions.answers import Answered


def said(status: int, body: object = None, **fields: Any) -> Answered:
    """An answer in JSON."""
    return Answered(
        status, msgspec.json.encode(body), body, content_type="application/json", **fields
    )


def page(status: int, text: str = "<html><h1>Bad Gateway</h1></html>") -> Answered:
    """An answer of a proxy."""
    return Answered(status, text.encode(), None, content_type="text/html")


def creation(
    status: int = 200, ids: object = None, run_id: object = "R1", code: object = None
) -> Answered:
    """An answer that speaks of what was created."""
    data = {"run_id": run_id, "task_ids": ids, "status": "pending"}
    stated = status if code is None else code
    return said(status, {"status_code": stated, "message": "created", "data": data})


def error(status: int, message: str = "no", code: object = None, **more: Any) -> Answered:
    """An error as the API words it."""
    stated = status if code is None else code
    return said(status, {"status_code": stated, "message": message, **more})
