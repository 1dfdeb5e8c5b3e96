"""The ledger: the record, in Redis, of every document's state. The only truth."""

from __future__ import annotations

from callspool_ledger.errors import LedgerFull, LedgerUnavailable
from callspool_ledger.writes.account_calls import account_ledgers
from callspool_ledger.writes.ledger import RULES, Ledger
from callspool_ledger.writes.records import (
    SEPARATOR,
    Accepted,
    Delivery,
    Group,
    LaneKey,
    Limits,
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
