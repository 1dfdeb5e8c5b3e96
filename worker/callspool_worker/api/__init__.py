"""The Unpod API over HTTP: the only part that knows httpx and httptools."""

from __future__ import annotations

from callspool_worker.api.accounts import Credentials, UnknownAccount
from callspool_worker.api.client import UnpodApi
from callspool_worker.api.clock import now
from callspool_worker.api.starting import check_start

__all__ = ["Credentials", "UnknownAccount", "UnpodApi", "check_start", "now"]
