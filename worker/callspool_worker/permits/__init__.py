"""Permits: how many requests an account may have in flight, over all workers."""

from __future__ import annotations

from callspool_worker.permits.courier import Courier, give_up
from callspool_worker.permits.crew import MOST as MOST_SENDERS
from callspool_worker.permits.crew import Crew
from callspool_worker.permits.feedback import Feedback, feedback
from callspool_worker.permits.permits import Permits

__all__ = ["MOST_SENDERS", "Courier", "Crew", "Feedback", "Permits", "feedback", "give_up"]
