"""Which alert fired from when to when, below what was done to the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.picture.canvas import document, line, rect, text
from grafana.picture.words import ceiling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana.picture.charts import Points

WIDTH, LEFT, TOP, ROW = 1000, 246, 76, 24
WHAT = "Windows of seconds instead of minutes and days; red pages somebody, orange is a ticket."


def picture(
    alerts: Mapping[tuple[str, str], Points],
    marks: Sequence[tuple[float, str]],
    began: float,
    ended: float,
) -> str:
    """An SVG document. ``alerts``: name and severity → points at which it fired; ``marks``: what
    was done, and when."""
    names = sorted({name for name, _ in alerts}, key=lambda name: _first(alerts, name))
    height = TOP + ROW * len(names) + 40
    across = (WIDTH - LEFT - 20) / (ended - began)
    bottom = TOP + ROW * len(names)
    parts = [
        text(20, 32, "Every alert that was driven, from firing to clearing", "text title"),
        text(20, 56, WHAT, "quiet"),
    ]
    for at, _ in marks:
        x = LEFT + (at - began) * across
        parts.append(line(x, TOP - 6, x, bottom, "grid"))
    for number, name in enumerate(names):
        y = TOP + ROW * number
        parts.append(text(LEFT - 12, y + 15, name.removeprefix("Callspool"), "text end"))
        for severity, color in (("ticket", "orange"), ("page", "red")):
            for first, last in _spans(alerts.get((name, severity), [])):
                x, length = LEFT + (first - began) * across, max(4.0, (last - first) * across)
                parts.append(rect(x, y + 5, length, 13, f"f-{color}", 3))
    step = ceiling((ended - began) / 8)
    for place in range(int((ended - began) / step) + 1):
        x = LEFT + place * step * across
        parts.append(text(x, bottom + 20, f"{place * step:.0f} s", "quiet middle"))
    words = ", ".join(name.removeprefix("Callspool") for name in names)
    return document(WIDTH, height, f"Alerts that fired and cleared: {words}", parts)


def _first(alerts: Mapping[tuple[str, str], Points], name: str) -> float:
    return min(points[0][0] for (other, _), points in alerts.items() if other == name)


def _spans(points: Points) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    for time, _ in points:
        if spans and time - spans[-1][1] <= 1.1:
            spans[-1] = (spans[-1][0], time)
        else:
            spans.append((time, time))
    return spans
