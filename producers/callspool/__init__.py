"""callspool: spool calls to the Unpod API, never twice and never lost."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool.aio import AsyncCallQueue
    from callspool.enqueue.receipts import Receipt, Summary
    from callspool.errors import (
        CallspoolError,
        CursorTooOld,
        InvalidCallRequest,
        InvalidCursor,
        QueueFull,
        QueueUnavailable,
        SettingsError,
    )
    from callspool.queue import CallQueue
    from callspool.request.call_request import CallRequest, Document
    from callspool.request.schedule import Schedule
    from callspool.suppression import SuppressionLists
    from callspool_ledger.reads.feed import EventPage, FeedEvent
    from callspool_ledger.reads.views import DocumentStatus

__all__ = [
    "AsyncCallQueue",
    "CallQueue",
    "CallRequest",
    "CallspoolError",
    "CursorTooOld",
    "Document",
    "DocumentStatus",
    "EventPage",
    "FeedEvent",
    "InvalidCallRequest",
    "InvalidCursor",
    "QueueFull",
    "QueueUnavailable",
    "Receipt",
    "Schedule",
    "SettingsError",
    "Summary",
    "SuppressionLists",
    "__version__",
]

__version__ = "0.1.0"

_HOMES = {
    "AsyncCallQueue": "callspool.aio",
    "CallQueue": "callspool.queue",
    "CallRequest": "callspool.request.call_request",
    "CallspoolError": "callspool.errors",
    "CursorTooOld": "callspool.errors",
    "Document": "callspool.request.call_request",
    "DocumentStatus": "callspool_ledger.reads.views",
    "FeedEvent": "callspool_ledger.reads.feed",
    "EventPage": "callspool_ledger.reads.feed",
    "InvalidCallRequest": "callspool.errors",
    "InvalidCursor": "callspool.errors",
    "QueueFull": "callspool.errors",
    "QueueUnavailable": "callspool.errors",
    "Receipt": "callspool.enqueue.receipts",
    "Schedule": "callspool.request.schedule",
    "SettingsError": "callspool.errors",
    "Summary": "callspool.enqueue.receipts",
    "SuppressionLists": "callspool.suppression",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first asked for: a command needs few of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
