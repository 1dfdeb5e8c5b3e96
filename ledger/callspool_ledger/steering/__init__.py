"""What operators do to the ledger: each as many bounded steps as it takes."""

from __future__ import annotations

from callspool_ledger.steering.campaigns import Campaigns
from callspool_ledger.steering.steering import Doubts, PauseResult, ResumeResult, Steering
from callspool_ledger.steering.steps import EndpointBusy, EndpointSteering, KeySteering, One

__all__ = [
    "Campaigns",
    "Doubts",
    "EndpointBusy",
    "EndpointSteering",
    "KeySteering",
    "One",
    "PauseResult",
    "ResumeResult",
    "Steering",
]
