"""The sandbox's fault file: what a mix means for its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaos.mix import ANSWERS, PROOF_QUIET, READS, REQUEST_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    "429": {"name": "status", "status": 429, "retry_after": 1},
    "403": {"name": "status", "status": 403},
    "read_500": {"name": "status", "status": 500, "on": "reads"},
    "read_drop": {"name": "drop", "on": "reads"},
    "read_hang": {"name": "hang", "on": "reads", "seconds": REQUEST_TIMEOUT + 1},
    "read_cut": {"name": "cut", "on": "reads"},
}


def fault_file(mix: Mapping[str, float], until: float, *, reading_back: bool) -> dict[str, Any]:
    """The file's content. ``until``: seconds after which the API answers as it should.

    Without ``reading_back`` all reads are refused, for ever.
    """
    faults: list[dict[str, Any]] = []
    if not reading_back:
        faults.append({"name": "status", "status": 403, "on": "reads"})
    for kind in (*ANSWERS, *READS):
        # One that never fires keeps its place: the others' chances depend on theirs.
        chance = min(mix.get(kind, 0.0) / 100, 1.0)
        faults.append(_FAULTS[kind] | {"probability": chance, "between": [0, until]})
    return {"faults": faults}
