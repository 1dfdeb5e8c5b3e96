"""All rules of an installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.alerting import delivery, documents, gates, installation, recording
from grafana.alerting.rule import Alert, rule_file

if TYPE_CHECKING:
    from grafana.alerting.config import Config
    from grafana.alerting.rule import Group

RECORDING, ALERTS = "callspool-recording.yml", "callspool-alerts.yml"


def alert_groups(config: Config) -> list[Group]:
    """The groups of alerts, the widest first."""
    return [module.group(config) for module in (installation, delivery, documents, gates)]


def alerts(config: Config) -> list[Alert]:
    """Every alert; several share a name and differ in severity or window."""
    rules = [rule for group in alert_groups(config) for rule in group.rules]
    return [rule for rule in rules if isinstance(rule, Alert)]


def files(config: Config) -> dict[str, str]:
    """Name and text of each rule file."""
    found = {RECORDING: recording.groups(config), ALERTS: alert_groups(config)}
    return {
        name: rule_file(groups, config.runbook, config.evaluation) for name, groups in found.items()
    }
