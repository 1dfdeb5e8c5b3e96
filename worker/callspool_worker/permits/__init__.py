"""Permits: how many requests an account may have in flight, over all workers."""

from __future__ import annotations

from callspool_worker.permits.account import Feedback, feedback
from callspool_worker.permits.permits import PermitClient, Permits, give_up
from callspool_worker.permits.senders import MOST as MOST_SENDERS
from callspool_worker.permits.senders import Senders

__all__ = ["MOST_SENDERS", "Feedback", "PermitClient", "Permits", "Senders", "feedback", "give_up"]
