"""What the panels of a dashboard show of a run: their expressions, with variables filled in."""

from __future__ import annotations

import math
import re

from grafana.boards.spec import Query
from tests.support.prometheus_server import PrometheusServer

VARIABLES = {
    "$job": "callspool-exporter",
    "$account": ".*",
    "$worker": ".*",
    "$__rate_interval": "3s",
}

Answers = dict[str, list[tuple[float, float]]]
"""Legend → points: time and value."""


def filled(expr: str) -> str:
    """An expression as Grafana would send it."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, f"a variable that no dashboard has: {expr}"
    return expr


def answers_of(prometheus: PrometheusServer, query: Query, began: float, ended: float) -> Answers:
    """The series with at least one number, by legend."""
    found: Answers = {}
    for series in prometheus.query_range(filled(query.expr), began, ended, 0.5):
        points = [(time, float(value)) for time, value in series["values"]]
        finite = [(time, value) for time, value in points if math.isfinite(value)]
        if finite:
            found[_legend(query.legend, series["metric"])] = finite
    return found


def _legend(template: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template) or str(labels)
