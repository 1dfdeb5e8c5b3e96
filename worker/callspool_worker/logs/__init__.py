"""The log of a worker: one line an event on stderr, as JSON or for people."""

from __future__ import annotations

from callspool_worker.logs.handler import log_to_stderr

__all__ = ["log_to_stderr"]
