"""The ledger: the record, in Redis, of every document's state. The only truth."""

from __future__ import annotations

from callspool_worker.ledger.account_calls import account_ledgers
from callspool_worker.ledger.errors import LedgerFull, LedgerUnavailable
from callspool_worker.ledger.ledger import RULES, Ledger
from callspool_worker.ledger.limits import Limits
from callspool_worker.ledger.records import (
    SEPARATOR,
    Accepted,
    Delivery,
    Group,
    LaneKey,
    Look,
    Refusal,
    SpaceLook,
    Taken,
)

__all__ = [
    "RULES",
    "SEPARATOR",
    "Accepted",
    "Delivery",
    "Group",
    "LaneKey",
    "Ledger",
    "LedgerFull",
    "LedgerUnavailable",
    "Limits",
    "Look",
    "Refusal",
    "SpaceLook",
    "Taken",
    "account_ledgers",
]
