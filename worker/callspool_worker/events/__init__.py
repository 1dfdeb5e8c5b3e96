"""What workers decide, as typed events: the log tells them, each with the facts of the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_worker.events import proving, running, sending
from callspool_worker.events.event import Event, Level
from callspool_worker.events.proving import (
    CallsEnded,
    CallsUnreadable,
    Held,
    MissingDead,
    NoCalls,
    NothingForgotten,
    Proven,
    ReadBack,
    Recalled,
    Repeated,
    SentAgain,
    SpaceUnreadable,
)
from callspool_worker.events.running import (
    AccountNotConfigured,
    Ended,
    EndpointChanged,
    Killed,
    LedgerAway,
    LedgerBack,
    LedgerReplaced,
    Left,
    NotStarted,
    Ready,
    StepFailed,
    Stopped,
    Stopping,
    Suppressed,
    TokenFile,
    Weakness,
)
from callspool_worker.events.sending import (
    Attempt,
    BatchTaken,
    DocumentsCapped,
    Down,
    Expired,
    Lapsed,
    MessageAccepted,
    NumbersSuppressed,
    Opened,
    Parked,
)

if TYPE_CHECKING:
    from types import ModuleType


def _events_of(module: ModuleType) -> list[type[Event]]:
    found = [each for each in vars(module).values() if isinstance(each, type)]
    return [each for each in found if issubclass(each, Event) and "kind" in vars(each)]


EVENTS = (*_events_of(sending), *_events_of(proving), *_events_of(running))
"""All of them, in the order of their definition, which is that of docs/logs.md."""

__all__ = [
    "EVENTS",
    "AccountNotConfigured",
    "Attempt",
    "BatchTaken",
    "CallsEnded",
    "CallsUnreadable",
    "DocumentsCapped",
    "Down",
    "Ended",
    "EndpointChanged",
    "Event",
    "Expired",
    "Held",
    "Killed",
    "Lapsed",
    "LedgerAway",
    "LedgerBack",
    "LedgerReplaced",
    "Left",
    "Level",
    "MessageAccepted",
    "MissingDead",
    "NoCalls",
    "NotStarted",
    "NothingForgotten",
    "NumbersSuppressed",
    "Opened",
    "Parked",
    "Proven",
    "ReadBack",
    "Ready",
    "Recalled",
    "Repeated",
    "SentAgain",
    "SpaceUnreadable",
    "StepFailed",
    "Stopped",
    "Stopping",
    "Suppressed",
    "TokenFile",
    "Weakness",
]
