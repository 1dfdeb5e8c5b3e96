"""All rules of an installation; recorded are the ratios of burn rates, over each window in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.alerting import promql
from grafana.alerting.delivery import delivery
from grafana.alerting.documents import documents, gates
from grafana.alerting.installation import installation
from grafana.alerting.promql import ledger, rate
from grafana.alerting.rule import Alert, Group, Record, rule_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana.alerting.config import Config

RECORDING, ALERTS = "callspool-recording.yml", "callspool-alerts.yml"


def alert_groups(config: Config) -> list[Group]:
    """Returns the groups of alerts, the widest first."""
    return [make(config) for make in (installation, delivery, documents, gates)]


def alerts(config: Config) -> list[Alert]:
    """Returns every alert; several share a name and differ in severity or window."""
    rules = [rule for group in alert_groups(config) for rule in group.rules]
    return [rule for rule in rules if isinstance(rule, Alert)]


def files(config: Config) -> dict[str, str]:
    """Returns name and text of each rule file."""
    found = {RECORDING: recording_groups(config), ALERTS: alert_groups(config)}
    return {
        name: rule_file(groups, config.runbook, config.evaluation) for name, groups in found.items()
    }


def recording_groups(config: Config) -> list[Group]:
    """Returns one group for the states, one for the ratios."""
    windows = sorted({each for burn in config.burns for each in (burn.short, burn.long)})
    return [
        Group("callspool-states", [*_states()]),
        Group("callspool-ratios", [each for window in windows for each in _ratios(config, window)]),
    ]


def _states() -> Iterator[Record]:
    yield Record(promql.PAUSED, ledger('callspool_lanes{state="paused"}'))
    yield Record(promql.THROTTLED, ledger("callspool_throttled_seconds") + " > bool 0")


def _ratios(config: Config, window: float) -> Iterator[Record]:
    created = rate("callspool_delivery_seconds_count", window)
    yield Record(promql.deliveries(window), created)
    in_time = rate(promql.bucket(config), window)
    yield Record(promql.late(window), f"1 - {in_time}\n  /\n{promql.deliveries(window)}")
    counted = 'callspool_document_events_total{event=~"created|dead"}'
    each = rate(counted, window, "job", "account", "event")
    yield Record(promql.settled(window), f"sum by (job, account) ({each})")
    died = rate('callspool_document_events_total{event="dead"}', window)
    yield Record(promql.dead(window), f"{died}\n  /\n{promql.settled(window)}")
