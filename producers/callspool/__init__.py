"""callspool: spool calls to the Unpod API, never twice and never lost."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool.aio import AsyncCallQueue
    from callspool.call_request import CallRequest
    from callspool.document import Document
    from callspool.errors import (
        CallspoolError,
        InvalidCallRequest,
        QueueFull,
        QueueUnavailable,
        SettingsError,
    )
    from callspool.ledger.views import DocumentStatus
    from callspool.queue import CallQueue
    from callspool.receipts import Receipt, Summary
    from callspool.schedule import Schedule

__all__ = [
    "AsyncCallQueue",
    "CallQueue",
    "CallRequest",
    "CallspoolError",
    "Document",
    "DocumentStatus",
    "InvalidCallRequest",
    "QueueFull",
    "QueueUnavailable",
    "Receipt",
    "Schedule",
    "SettingsError",
    "Summary",
    "__version__",
]

__version__ = "0.1.0"

_HOMES = {
    "AsyncCallQueue": "callspool.aio",
    "CallQueue": "callspool.queue",
    "CallRequest": "callspool.call_request",
    "CallspoolError": "callspool.errors",
    "Document": "callspool.document",
    "DocumentStatus": "callspool.ledger.views",
    "InvalidCallRequest": "callspool.errors",
    "QueueFull": "callspool.errors",
    "QueueUnavailable": "callspool.errors",
    "Receipt": "callspool.receipts",
    "Schedule": "callspool.schedule",
    "SettingsError": "callspool.errors",
    "Summary": "callspool.receipts",
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
