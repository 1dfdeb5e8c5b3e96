"""Every threshold and window of the rules, in one object.

The end-to-end test builds the same rules with windows of seconds; installations build theirs with
other thresholds (docs/alerts.md). Durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["page", "ticket"]
"""`page`: now, whatever the hour. `ticket`: on the next working day."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows: both burn the budget of 30 days `factor` times too fast."""

    long: float
    short: float
    factor: float
    severity: Severity


BURNS = (
    Burn(HOUR, 5 * MINUTE, 14.4, "page"),
    Burn(6 * HOUR, 30 * MINUTE, 6.0, "page"),
    Burn(DAY, 2 * HOUR, 3.0, "ticket"),
    Burn(3 * DAY, 6 * HOUR, 1.0, "ticket"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the rules compare with."""

    runbook: str = "https://github.com/callspool/callspool/blob/main/docs/runbook.md"
    """Where docs/runbook.md can be read; `make dashboards RUNBOOK=…` writes another."""
    exporter_job: str = "callspool-exporter"
    """The `job` under which Prometheus scrapes the exporters of one installation."""

    objective: float = 0.99
    """The share of documents that are created in time, and that are created at all."""
    late_after: float = 15 * MINUTE
    """Created later than this after acceptance is late; a bound of callspool_delivery_seconds."""
    burns: tuple[Burn, ...] = BURNS
    fewest_documents: int = 100
    """Fewer in the long window burn no budget: one of ten would be ten per cent."""

    oldest_ready: float = 15 * MINUTE
    """What may be sent, and has not been for so long, is stuck."""
    oldest_spooled: float = 5 * MINUTE
    oldest_in_doubt: float = 30 * MINUTE
    """Proofs take PROOF_QUIET (5 min) and a look or two; what is older proves itself no more."""
    oldest_open_call: float = DAY
    """Calls go out within a day, unless they wait for their hours or a schedule."""
    oldest_sending: float = 15 * MINUTE
    """A take is freed after REQUEST_TIMEOUT and a margin: 70 s, and seconds for the sweep."""
    sweep_lag: float = MINUTE
    hours_table: float = 2 * HOUR
    """Age of a table of calling hours that workers should have computed anew."""

    webhook_rests: float = 15 * MINUTE
    """How long an endpoint may rest: a deployment of it takes minutes."""
    feed_share: float = 0.75
    """The part of what the feed keeps that a reader may be behind: 18 hours of 3 days are left."""

    suppressed_factor: float = 5.0
    """A share of suppressed documents so many times that of the day is a list gone wrong."""
    suppressed_least: int = 20
    """Fewer of them in an hour say nothing."""

    growth: float = 10 * MINUTE
    """What is not less than so long ago does not shrink."""
    counted: float = HOUR
    """How long something that must never happen is told after it happened."""
    throttled_window: float = 30 * MINUTE
    throttled_share: float = 0.5
    restarts: int = 3
    restarts_window: float = 15 * MINUTE

    queue_full: float = 0.8
    """Of CALLSPOOL_MAX_WAITING; beyond the whole producers get QueueFull."""
    memory_ticket: float = 0.7
    memory_page: float = 0.8
    """Of Redis' maxmemory: here producers get QueueFull."""

    hold_brief: float = MINUTE
    """`for` of what a restart or a redeployment does not do."""
    hold: float = 5 * MINUTE
    hold_patient: float = 15 * MINUTE
    """`for` of what often heals by itself."""

    evaluation: float | None = None
    """How often the groups are evaluated; None: as Prometheus is configured."""


def duration(seconds: float) -> str:
    """As Prometheus writes it: 90 → `90s`, 900 → `15m`."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1.0, "s")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"
