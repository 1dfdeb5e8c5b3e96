"""What a dashboard shows, without a word of Grafana's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind = Literal["stat", "lines", "stack", "bars", "heatmap", "table"]

GREEN, YELLOW, ORANGE, RED = "green", "yellow", "orange", "red"
BLUE, PURPLE, GRAY = "blue", "purple", "#8e8e8e"

ACCOUNTS = '{job="$job", account=~"$account"}'
"""Selects the chosen installation's chosen accounts; `INSTALLATION` all of it."""
INSTALLATION = '{job="$job"}'
WORKERS = '{instance=~"$worker"}'
PACE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and the name of each of its series; the name may hold {{labels}}."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """``steps`` are thresholds: from which value on which colour. ``runbook`` is a heading of
    docs/runbook.md. ``width`` is in 24ths of the page."""

    title: str
    description: str
    queries: Sequence[Query]
    kind: Kind = "lines"
    unit: str = "short"
    width: int = 8
    height: int = 8
    runbook: str = ""
    steps: Sequence[tuple[float, str]] = ()
    colors: Mapping[str, str] = field(default_factory=dict)
    decimals: int | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that answer one question."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard. ``selects`` names its choices besides data source and installation."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    selects: Sequence[Literal["account", "worker"]] = ("account",)

    @property
    def panels(self) -> list[Panel]:
        """All of them, from the top."""
        return [panel for row in self.rows for panel in row.panels]


def summed(metric: str, *by: str, selector: str = ACCOUNTS) -> str:
    """Returns a gauge added up over accounts, not over exporters of one ledger."""
    each = f"max by ({', '.join(['account', *by])}) ({metric}{selector})"
    return f"sum by ({', '.join(by)}) ({each})" if by else f"sum({each})"


def per_second(counter: str, *by: str, where: str = "") -> str:
    """Returns events a second of a counter of the exporters', added up over accounts."""
    selector = ACCOUNTS.replace("}", f", {where}}}") if where else ACCOUNTS
    each = f"max by ({', '.join(['account', *by])}) (rate({counter}{selector}[{PACE}]))"
    return f"sum by ({', '.join(by)}) ({each})" if by else f"sum({each})"


def largest(metric: str, *by: str, selector: str = ACCOUNTS) -> str:
    """Returns the largest of a gauge."""
    return f"max by ({', '.join(by)}) ({metric}{selector})" if by else f"max({metric}{selector})"
