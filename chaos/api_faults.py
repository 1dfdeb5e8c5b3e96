"""The sandbox's fault file: what a mix means for its answers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from chaos.mix import ANSWERS, PROOF_QUIET, PROOF_QUIET_ANSWERED, READS, REQUEST_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaos.schedule import Plan

_LATE_UNANSWERED = REQUEST_TIMEOUT + PROOF_QUIET / 4

_FAULTS: Mapping[str, dict[str, Any]] = {
    "500_before": {"name": "status", "status": 500},
    "500_amid": {"name": "status", "status": 500, "where": "amid"},
    "500_after": {"name": "status", "status": 500, "where": "after"},
    "500_late": {"name": "status", "status": 500, "where": "late", "created": 7, "delay": 0.01},
    "502_after": {"name": "status", "status": 502, "where": "after"},
    "504_before": {"name": "status", "status": 504},
    "drop_before_body": {"name": "drop", "where": "before_body"},
    "drop_before": {"name": "drop", "reset": True},
    "drop_amid": {"name": "drop", "where": "amid"},
    "drop_after": {"name": "drop", "where": "after", "reset": True},
    "drop_late": {"name": "drop", "where": "late", "delay": 0.02},
    "drop_response": {"name": "drop", "where": "response"},
    "hang_before": {"name": "hang", "where": "before", "seconds": _LATE_UNANSWERED},
    "hang_after": {"name": "hang", "where": "after", "seconds": REQUEST_TIMEOUT + 1},
    "cut": {"name": "cut"},
    "drip": {"name": "drip", "seconds": REQUEST_TIMEOUT},
    "partial_amid": {"name": "partial", "where": "amid"},
    "partial_after": {"name": "partial", "where": "after"},
    "refuse": {"name": "refuse", "field": "documents"},
    "mixed_instead": {"name": "mixed", "place": "instead"},
    "mixed_ahead": {"name": "mixed", "place": "ahead"},
    "mixed_behind": {"name": "mixed", "place": "behind"},
    "429": {"name": "status", "status": 429, "retry_after": 1},
    "403": {"name": "status", "status": 403},
    "read_500": {"name": "status", "status": 500, "on": "reads"},
    "read_drop": {"name": "drop", "on": "reads"},
    "read_hang": {"name": "hang", "on": "reads", "seconds": REQUEST_TIMEOUT + 1},
    "read_cut": {"name": "cut", "on": "reads"},
}


_SKEW = 60.0
"""Seconds by which the clocks of two servers differ from the true time, one each way."""

_CHANGE = (2.0, 8.0)
"""Seconds (from, to) until lists count or come otherwise than before."""

_OUTAGE = (3.0, PROOF_QUIET + 4)
"""Seconds (from, to) for which requests queue, and are carried out when it is over."""


def fault_file(plan: Plan, until: float) -> dict[str, Any]:
    """Returns the file's content. ``until``: seconds after which the API answers as it should.

    Where reading back is off all reads are refused, for ever.
    """
    faults: list[dict[str, Any]] = []
    if not plan.reading_back:
        faults.append({"name": "status", "status": 403, "on": "reads"})
    faults += _outages(plan, until)
    for kind in (*ANSWERS, *READS):
        # One that never fires keeps its place: the others' chances depend on theirs.
        chance = min(plan.mix.get(kind, 0.0) / 100, 1.0)
        faults.append(_FAULTS[kind] | {"probability": chance, "between": [0, until]})
    return {"server": _server(plan), "changes": _changes(plan, until), "faults": faults}


def _server(plan: Plan) -> dict[str, Any]:
    """How the API is from the beginning to the end."""
    found: dict[str, Any] = {}
    if plan.mix.get("clocks"):
        found |= {"clock_skew": [-_SKEW, _SKEW], "created_shift": 2 * _SKEW}
    if plan.mix.get("lag"):
        found |= {"tasks_lag": PROOF_QUIET_ANSWERED / 3, "lag_share": 0.2}
    if plan.mix.get("marks"):
        found |= {"input": "known"}
    return found


def _changes(plan: Plan, until: float) -> list[dict[str, Any]]:
    """What lists are like from some moment on, and as they should be after ``until``."""
    chance = random.Random(f"{plan.seed} lists")  # noqa: S311 - to be repeated, not secret
    counts, order = bool(plan.mix.get("counts")), bool(plan.mix.get("order"))
    changes: list[dict[str, Any]] = []
    at = 0.0
    while (counts or order) and (at := at + chance.uniform(*_CHANGE)) < until:
        changes.append(
            {
                "at": round(at, 3),
                "counts": chance.choice([True, False, 0, 1, "page"]) if counts else True,
                "order": chance.choice(["newest", "oldest", "shuffled"]) if order else "newest",
            }
        )
    if changes:
        changes.append({"at": until, "counts": True, "order": "newest"})
    return changes


def _outages(plan: Plan, until: float) -> list[dict[str, Any]]:
    """Times in which a proxy holds every request; all are carried out together at their end."""
    chance = random.Random(f"{plan.seed} outages")  # noqa: S311 - to be repeated, not secret
    rate = plan.mix.get("outage", 0.0) / 60
    found: list[dict[str, Any]] = []
    at = 0.0
    while rate and (at := at + chance.expovariate(rate)) < until:
        over = min(at + chance.uniform(*_OUTAGE), until)
        span = {"between": [round(at, 3), round(over, 3)], "until": round(over, 3)}
        found += [{"name": "hang", "on": on, **span} for on in ("create", "reads")]
        at = over
    return found
