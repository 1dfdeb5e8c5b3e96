"""The guard: who must not be called, in keys of its own slot."""

from callspool_ledger.guard.guard import BeingSent, Clearance, Guard, GuardQuestion
from callspool_ledger.guard.numbers import (
    GLOBAL,
    GuardKey,
    Hit,
    ListNameError,
    ListSource,
    list_name,
)
from callspool_ledger.guard.suppression import (
    AddedNumbers,
    ExportedEntry,
    ListView,
    Suppression,
    count_listed,
)

__all__ = [
    "GLOBAL",
    "AddedNumbers",
    "BeingSent",
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
