"""PromQL by name. Several exporters serve the same ledger, so that their series are never added up:
the largest of them counts, for each installation (`job`) by itself."""

from __future__ import annotations

from grafana.alerting.config import Config, duration

ACCOUNT = ("job", "account")


def ledger(metric: str, *by: str) -> str:
    """Returns a gauge of the exporters'; for each ``job``, and what else is named."""
    return f"max by ({', '.join(by or ACCOUNT)}) ({metric})"


def rate(counter: str, window: float, *by: str) -> str:
    """Returns events a second of a counter of the exporters'."""
    return ledger(f"rate({counter}[{duration(window)}])", *by)


def increase(counter: str, window: float, *by: str) -> str:
    """Returns how often something happened within the window."""
    return ledger(f"increase({counter}[{duration(window)}])", *by)


def bucket(config: Config) -> str:
    """Returns the deliveries in time; Prometheus 3 writes 900.0, and 2 what it is given."""
    return f'callspool_delivery_seconds_bucket{{le=~"{config.late_after:.0f}([.]0)?"}}'


def deliveries(window: float) -> str:
    """Names what is recorded: documents created a second."""
    return f"job_account:callspool_deliveries:rate{duration(window)}"


def late(window: float) -> str:
    """Names what is recorded: the share of them that was late."""
    return f"job_account:callspool_late_deliveries:ratio_rate{duration(window)}"


def settled(window: float) -> str:
    """Names what is recorded: documents a second that became created or dead."""
    return f"job_account:callspool_settled_documents:rate{duration(window)}"


def dead(window: float) -> str:
    """Names what is recorded: the share of them that became dead."""
    return f"job_account:callspool_dead_documents:ratio_rate{duration(window)}"


PAUSED = "job_account:callspool_paused_lanes:max"
"""Recorded: lanes that an operator paused."""

THROTTLED = "job_account:callspool_throttled:bool"
"""Recorded: 1 while an account rests because the API said so."""
