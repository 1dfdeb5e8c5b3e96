"""PromQL by name. Several exporters serve the same ledger, so that their series are never added up:
the largest of them counts, for each installation (`job`) by itself."""

from __future__ import annotations

from grafana.alerting.config import Config, duration

ACCOUNT = ("job", "account")


def ledger(metric: str, *by: str) -> str:
    """A gauge of the exporters'; for each ``job``, and what else is named."""
    return f"max by ({', '.join(by or ACCOUNT)}) ({metric})"


def rate(counter: str, window: float, *by: str) -> str:
    """Events a second of a counter of the exporters'."""
    return ledger(f"rate({counter}[{duration(window)}])", *by)


def increase(counter: str, window: float, *by: str) -> str:
    """How often something happened within the window."""
    return ledger(f"increase({counter}[{duration(window)}])", *by)


def bucket(config: Config) -> str:
    """The deliveries that were in time. Prometheus 3 writes 900.0 where 2 keeps what it is told."""
    return f'callspool_delivery_seconds_bucket{{le=~"{config.late_after:.0f}([.]0)?"}}'


def deliveries(window: float) -> str:
    """Recorded: documents created a second."""
    return f"job_account:callspool_deliveries:rate{duration(window)}"


def late(window: float) -> str:
    """Recorded: the share of them that was late."""
    return f"job_account:callspool_late_deliveries:ratio_rate{duration(window)}"


def settled(window: float) -> str:
    """Recorded: documents a second that became created or dead."""
    return f"job_account:callspool_settled_documents:rate{duration(window)}"


def dead(window: float) -> str:
    """Recorded: the share of them that became dead."""
    return f"job_account:callspool_dead_documents:ratio_rate{duration(window)}"


PAUSED = "job_account:callspool_paused_lanes:max"
"""Recorded: lanes that an operator paused."""

THROTTLED = "job_account:callspool_throttled:bool"
"""Recorded: 1 while an account rests because the API said so."""
