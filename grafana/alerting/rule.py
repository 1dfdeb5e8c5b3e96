"""Rules as values, and how Prometheus' rule files write them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grafana.alerting.config import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from grafana.alerting.config import Severity


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule, named level:metric:operation."""

    record: str
    expr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert: what is the matter, and for whom it is.

    ``summary`` is one line for a telephone, ``description`` what it means and what to do first;
    both are templates of Prometheus. ``hold`` is in seconds.
    """

    alert: str
    expr: str
    severity: Severity
    summary: str
    description: str
    hold: float = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other."""

    name: str
    rules: Sequence[Record | Alert]


def anchor(alert: str) -> str:
    """Returns the fragment that leads to an alert's heading in docs/runbook.md."""
    return f"#{alert.lower()}"


def rule_file(groups: Sequence[Group], runbook: str, evaluation: float | None = None) -> str:
    """Returns the text of a rule file. ``runbook`` is the page with a heading for each alert."""
    lines = ["# Written by `make dashboards`; change grafana/alerting instead.", "groups:"]
    for group in groups:
        lines.append(f"  - name: {group.name}")
        if evaluation:
            lines.append(f"    interval: {duration(evaluation)}")
        lines.append("    rules:")
        for rule in group.rules:
            lines += _record(rule) if isinstance(rule, Record) else _alert(rule, runbook)
    return "\n".join([*lines, ""])


def _record(rule: Record) -> Iterator[str]:
    yield f"      - record: {rule.record}"
    yield from _expr(rule.expr)


def _alert(rule: Alert, runbook: str) -> Iterator[str]:
    yield f"      - alert: {rule.alert}"
    yield from _expr(rule.expr)
    if rule.hold:
        yield f"        for: {duration(rule.hold)}"
    yield "        labels:"
    for name, value in {"severity": rule.severity, **rule.labels}.items():
        yield f"          {name}: {json.dumps(value)}"
    yield "        annotations:"
    yield f"          summary: {json.dumps(rule.summary, ensure_ascii=False)}"
    yield f"          description: {json.dumps(rule.description, ensure_ascii=False)}"
    yield f"          runbook_url: {json.dumps(runbook + anchor(rule.alert))}"


def _expr(expr: str) -> Iterator[str]:
    if "\n" not in expr:
        yield (
            f"        expr: {json.dumps(expr)}"
            if expr[0] in "'\"{[*&!|>%@`"
            else f"        expr: {expr}"
        )
        return
    yield "        expr: |-"
    yield from (f"          {line}" for line in expr.splitlines())
