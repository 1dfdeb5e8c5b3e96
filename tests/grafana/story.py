"""What Prometheus would see, told in a few series, and which alert that leads to, or not."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JOB = 'job="callspool-exporter", instance="a:9191"'


@dataclass(frozen=True)
class Story:
    """What happens, and whether the alert then fires.

    ``series`` are in promtool's notation, a sample a minute; ``at`` is when ``alert`` is looked
    for, by ``labels``. Stories on one ``stage`` share a world and tell of different accounts.
    """

    name: str
    alert: str
    fires: bool
    series: Mapping[str, str]
    at: str = "30m"
    labels: Mapping[str, str] = field(default_factory=dict)
    stage: str = ""

    def is_about(self, alert: str, labels: Mapping[str, str]) -> bool:
        """Whether that rule is meant."""
        mine = {name: value for name, value in self.labels.items() if name != "account"}
        return self.alert == alert and mine.items() <= labels.items()

    def question(self) -> dict[str, Any]:
        """What is asked once it is told."""
        wanted = {"alertname": self.alert, "alertstate": "firing", **self.labels}
        matchers = ",".join(f'{name}="{value}"' for name, value in wanted.items())
        return {
            "expr": f"(count(ALERTS{{{matchers}}}) > bool 0) or vector(0)",
            "eval_time": self.at,
            "exp_samples": [{"labels": "{}", "value": 1 if self.fires else 0}],
        }


def as_tests(stories: Sequence[Story]) -> list[dict[str, Any]]:
    """The stories as tests of promtool's, one for each stage."""
    stages: defaultdict[str, list[Story]] = defaultdict(list)
    for number, story in enumerate(stories):
        stages[story.stage or f"{number}: {story.alert}: {story.name}"].append(story)
    return [
        {
            "name": name,
            "interval": "1m",
            "input_series": [
                {"series": series, "values": values}
                for series, values in ChainMap(*(dict(each.series) for each in together)).items()
            ],
            "promql_expr_test": [each.question() for each in together],
        }
        for name, together in stages.items()
    ]


def of(metric: str, account: str = "", **labels: str) -> str:
    """A series of an exporter's."""
    found = {"account": account, **labels} if account else labels
    labels_written = [f'{name}="{value}"' for name, value in found.items()]
    return f"{metric}{{{', '.join([JOB, *labels_written])}}}"


def always(value: float, minutes: int = 600) -> str:
    return f"{value:g}x{minutes}"


def counter(per_minute: float, start: float = 0, minutes: int = 600) -> str:
    return f"{start:g}+{per_minute:g}x{minutes}"


def deliveries(per_minute: float, late: float, account: str = "default") -> dict[str, str]:
    """A histogram of deliveries, a share of them late."""
    name = "callspool_delivery_seconds"
    return {
        of(f"{name}_count", account): counter(per_minute),
        of(f"{name}_bucket", account, le="900.0"): counter(per_minute * (1 - late)),
        of(f"{name}_bucket", account, le="+Inf"): counter(per_minute),
    }


def settled(created: float, dead: float, account: str = "default") -> dict[str, str]:
    name = "callspool_document_events_total"
    return {
        of(name, account, event="created"): counter(created),
        of(name, account, event="dead"): counter(dead),
        of(name, account, event="accepted"): counter(created + dead),
    }
