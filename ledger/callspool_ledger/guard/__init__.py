"""The guard: who must not be called, in keys of its own slot."""

from callspool_ledger.guard.guard import Clearance, Guard, GuardQuestion
from callspool_ledger.guard.records import GLOBAL, Hit, ListNameError, ListSource, list_name
from callspool_ledger.guard.suppression import AddedNumbers, BeingSent, Suppression

__all__ = [
    "GLOBAL",
    "AddedNumbers",
    "BeingSent",
    "Clearance",
    "Guard",
    "GuardQuestion",
    "Hit",
    "ListNameError",
    "ListSource",
    "Suppression",
    "list_name",
]
