"""Doctor: what could keep this installation from sending, or from keeping its word."""

from __future__ import annotations

from callspool_operators.doctor.producers import examine_queue, examine_users
from callspool_operators.doctor.server import (
    DoctorFinding,
    examine_server,
    examine_settings,
    ok,
    problem,
    worst,
)
from callspool_operators.doctor.standing import (
    LedgerStanding,
    examine_agents,
    examine_api,
    examine_ledger,
    examine_tasks,
)

__all__ = [
    "DoctorFinding",
    "LedgerStanding",
    "examine_agents",
    "examine_api",
    "examine_ledger",
    "examine_queue",
    "examine_server",
    "examine_settings",
    "examine_tasks",
    "examine_users",
    "ok",
    "problem",
    "worst",
]
