"""A dashboard as a picture: its rows and panels, as they stood in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.picture.canvas import NAMED, document, rect, text
from grafana.picture.charts import Frame, chart
from grafana.picture.words import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana.boards.spec import Board, Panel
    from grafana.picture.charts import Answers

WIDTH, MARGIN, GAP, HEAD, ROW_HEAD = 1240, 16, 8, 66, 30
COLUMN = (WIDTH - 2 * MARGIN + GAP) / 24
UNIT = 27
"""Pixels of one unit of a panel's height."""

DRAWN = "Drawn from what Prometheus answered in one run of the end-to-end test; not a screenshot."


def picture(
    board: Board, answers: Mapping[str, Answers], began: float, ended: float, moment: float
) -> str:
    """An SVG document; ``answers`` by panel's title. Single numbers are those at ``moment``."""
    parts = [
        text(MARGIN + 4, 32, board.title, "text title"),
        text(MARGIN + 4, 54, f"{DRAWN} Numbers: at second {moment - began:.0f}.", "quiet"),
    ]
    y = float(HEAD)
    for row in board.rows:
        parts.append(text(MARGIN + 4, y + 19, row.title, "text name"))
        y += ROW_HEAD
        left, tallest = 0, 0
        for panel in row.panels:
            width = panel.width * COLUMN - GAP
            frame = Frame(MARGIN + left * COLUMN, y, width, panel.height * UNIT, began, ended)
            parts += _panel(panel, answers[panel.title], frame, moment)
            left, tallest = left + panel.width, max(tallest, panel.height)
        y += tallest * UNIT + GAP
    return document(WIDTH, round(y + 8), f"{board.title}: {board.description}", parts)


def _panel(panel: Panel, answers: Answers, frame: Frame, moment: float) -> list[str]:
    parts = [
        rect(frame.x, frame.y, frame.width, frame.height, "card", 4),
        text(frame.x + 12, frame.y + 22, panel.title, "text"),
    ]
    if panel.kind == "stat":
        return parts + _stat(panel, answers, frame, moment)
    if panel.kind == "table":
        return parts + _table(answers, frame, moment)
    inner = Frame(frame.x, frame.y + 38, frame.width, frame.height - 46, frame.began, frame.ended)
    return parts + chart(panel, answers, inner)


def _at(points: Sequence[tuple[float, float]], moment: float) -> float | None:
    earlier = [value for time, value in points if moment - 2 <= time <= moment]
    return earlier[-1] if earlier else None


def _stat(panel: Panel, answers: Answers, frame: Frame, moment: float) -> list[str]:
    values = [_at(points, moment) for points in answers.values()]
    value = next((each for each in values if each is not None), None)
    if value is None:
        return [text(frame.x + 12, frame.y + 72, "none", "quiet large")]
    passed = [color for step, color in panel.steps if value >= step]
    color = NAMED[passed[-1]] if passed else "green"
    style = f"f-{color} large" if panel.steps else "text large"
    return [text(frame.x + 12, frame.y + 72, told(value, panel.unit, panel.decimals), style)]


def _table(answers: Answers, frame: Frame, moment: float) -> list[str]:
    rows = sorted(name for name, points in answers.items() if _at(points, moment) is not None)
    parts = []
    for number, name in enumerate(rows[: int((frame.height - 40) / 17)]):
        alert, severity, account = name.split("|")
        y = frame.y + 46 + number * 17
        color = "red" if severity == "page" else "orange"
        parts.append(rect(frame.x + 12, y - 9, 9, 9, f"f-{color}", 2))
        parts.append(text(frame.x + 28, y, alert, "text"))
        parts.append(text(frame.x + 236, y, severity, "quiet"))
        parts.append(text(frame.x + 290, y, account, "quiet"))
    return parts
