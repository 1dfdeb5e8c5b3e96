"""What operators do to the ledger: each as many bounded steps as it takes."""

from __future__ import annotations

from callspool_worker.steering.doubts import Doubts
from callspool_worker.steering.everywhere import doubts_of, steering_of
from callspool_worker.steering.steering import Paused, Resumed, Steering
from callspool_worker.steering.steps import One

__all__ = ["Doubts", "One", "Paused", "Resumed", "Steering", "doubts_of", "steering_of"]
