"""What operators do to the ledger: each as many bounded steps as it takes."""

from __future__ import annotations

from callspool_ledger.steering.all_partitions import doubts_of, steering_of
from callspool_ledger.steering.doubts import Doubts
from callspool_ledger.steering.steering import Paused, Resumed, Steering
from callspool_ledger.steering.steps import One

__all__ = ["Doubts", "One", "Paused", "Resumed", "Steering", "doubts_of", "steering_of"]
