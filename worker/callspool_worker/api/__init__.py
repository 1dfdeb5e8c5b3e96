"""The Unpod API over HTTP: the only part that knows httpx and httptools."""

from __future__ import annotations

from callspool_worker.api.accounts import Credentials, UnknownAccount
from callspool_worker.api.client import UnpodApi, check_start
from callspool_worker.api.clock import now

__all__ = ["Credentials", "UnknownAccount", "UnpodApi", "check_start", "now"]
