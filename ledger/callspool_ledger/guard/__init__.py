"""The guard: who must not be called, and how often, in keys of its own slot."""

from callspool_ledger.guard.guard import Clearance, Guard, GuardQuestion
from callspool_ledger.guard.in_flight import BeingSent
from callspool_ledger.guard.numbers import (
    GLOBAL,
    ExportedEntry,
    GuardKey,
    Hit,
    ListNameError,
    ListSource,
    ListView,
    list_name,
)
from callspool_ledger.guard.recovery import CallsAsked, CallsRecovery
from callspool_ledger.guard.suppression import AddedNumbers, Suppression, count_listed

__all__ = [
    "GLOBAL",
    "AddedNumbers",
    "BeingSent",
    "CallsAsked",
    "CallsRecovery",
    "Clearance",
    "ExportedEntry",
    "Guard",
    "GuardKey",
    "GuardQuestion",
    "Hit",
    "ListNameError",
    "ListSource",
    "ListView",
    "Suppression",
    "count_listed",
    "list_name",
]
