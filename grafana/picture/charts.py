"""Series over time, in a frame: lines, stacked areas, bars, and heatmaps of histograms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana.picture.canvas import NAMED, color_of, line, path, rect, text
from grafana.picture.words import ceiling, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from grafana.boards.spec import Panel

Points = list[tuple[float, float]]
Answers = dict[str, Points]
"""Legend → points: time and value."""

LEFT, LEGEND_LINE, CHARACTER = 62, 16, 6.4
GAP = 1.6
"""Seconds between two points that are not joined."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a chart lies, and the time that it covers."""

    x: float
    y: float
    width: float
    height: float
    began: float
    ended: float

    def across(self, time: float) -> float:
        """Where a moment lies."""
        return self.x + (time - self.began) / (self.ended - self.began) * self.width

    def up(self, share: float) -> float:
        """Where a share of the height lies; 0 is the bottom."""
        return self.y + self.height * (1 - min(max(share, 0.0), 1.0))


def chart(panel: Panel, answers: Answers, frame: Frame) -> list[str]:
    """The drawn series with their axes, thresholds and legend."""
    shown = {name: points for name, points in answers.items() if points}
    legend, lines = _legend(panel, shown, frame)
    inner = Frame(
        frame.x + LEFT,
        frame.y,
        frame.width - LEFT - 12,
        frame.height - 24 - lines * LEGEND_LINE,
        frame.began,
        frame.ended,
    )
    if panel.kind == "heatmap":
        return [*_heatmap(shown, inner), *_times(inner)]
    stacked = panel.kind in ("stack", "bars")
    top = ceiling(_highest(shown, stacked=stacked), panel.unit)
    draw = _areas if stacked else _lines
    return [
        *_axis(panel, inner, top),
        *_times(inner),
        *draw(panel, shown, inner, top),
        *_thresholds(panel, inner, top),
        *legend,
    ]


def _highest(answers: Answers, *, stacked: bool) -> float:
    if not stacked:
        return max((value for points in answers.values() for _, value in points), default=0)
    sums: dict[float, float] = {}
    for points in answers.values():
        for time, value in points:
            sums[time] = sums.get(time, 0) + value
    return max(sums.values(), default=0)


def _axis(panel: Panel, frame: Frame, top: float) -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = frame.up(share)
        parts.append(line(frame.x, y, frame.x + frame.width, y, "grid"))
        parts.append(text(frame.x - 8, y + 4, told(top * share, panel.unit), "quiet end"))
    return parts


def _times(frame: Frame) -> list[str]:
    step = ceiling((frame.ended - frame.began) / 6)
    count = int((frame.ended - frame.began) / step)
    return [
        text(
            frame.across(frame.began + step * number),
            frame.y + frame.height + 16,
            f"{step * number:.0f} s",
            "quiet middle",
        )
        for number in range(count + 1)
    ]


def _pieces(points: Points) -> list[Points]:
    """What was seen without a break."""
    pieces: list[Points] = []
    for time, value in points:
        if not pieces or time - pieces[-1][-1][0] > GAP:
            pieces.append([])
        pieces[-1].append((time, value))
    return pieces


def _lines(panel: Panel, answers: Answers, frame: Frame, top: float) -> list[str]:
    return [
        path(
            [(frame.across(time), frame.up(value / top)) for time, value in piece],
            f"line s-{color_of(name, dict(panel.colors), place)}",
        )
        for place, (name, points) in enumerate(answers.items())
        for piece in _pieces(points)
    ]


def _areas(panel: Panel, answers: Answers, frame: Frame, top: float) -> list[str]:
    below: dict[float, float] = {}
    parts = []
    for place, (name, points) in enumerate(answers.items()):
        color = color_of(name, dict(panel.colors), place)
        for piece in _pieces(points):
            floor = [(time, below.get(time, 0.0)) for time, _ in piece]
            roof = [(time, below.get(time, 0.0) + value) for time, value in piece]
            area = _placed(roof, frame, top) + _placed(floor, frame, top)[::-1]
            parts.append(path(area, f"area f-{color}", closed=True))
            below |= dict(roof)
            heights = dict(piece)
            seen = [(time, top_of) for time, top_of in roof if heights[time] > 0]
            parts += [path(_placed(each, frame, top), f"line s-{color}") for each in _pieces(seen)]
    return parts


def _placed(points: Points, frame: Frame, top: float) -> Points:
    return [(frame.across(time), frame.up(value / top)) for time, value in points]


def _thresholds(panel: Panel, frame: Frame, top: float) -> list[str]:
    return [
        line(
            frame.x,
            frame.up(value / top),
            frame.x + frame.width,
            frame.up(value / top),
            f"dash s-{NAMED[color]}",
        )
        for value, color in panel.steps
        if 0 < value <= top
    ]


def _legend(panel: Panel, answers: Answers, frame: Frame) -> tuple[list[str], int]:
    if panel.kind == "heatmap":
        return [], 0
    placed: list[tuple[str, str, float, int]] = []
    x, row = 0.0, 0
    for place, name in enumerate(answers):
        length = 22 + len(name) * CHARACTER + 12
        if x and x + length > frame.width - 8:
            x, row = 0.0, row + 1
        placed.append((name, color_of(name, dict(panel.colors), place), x, row))
        x += length
    lines = row + 1 if placed else 0
    top = frame.y + frame.height - lines * LEGEND_LINE + 12
    parts = []
    for name, color, left, number in placed:
        y = top + number * LEGEND_LINE
        parts.append(rect(frame.x + 8 + left, y - 7, 12, 4, f"f-{color}", 2))
        parts.append(text(frame.x + 26 + left, y, name, "quiet"))
    return parts, lines


def _heatmap(answers: Mapping[str, Points], frame: Frame) -> list[str]:
    bounds = sorted(answers, key=_bound)
    columns = _columns(answers, bounds)
    most = max((n for column in columns.values() for n in column), default=0) or 1
    seen = [place for place in range(len(bounds)) if any(c[place] > 0 for c in columns.values())]
    rows = range(min(seen, default=0), max(seen, default=0) + 1)
    height = frame.height / len(rows)
    width = frame.width / max(1, len(columns)) + 0.5
    parts = []
    for number, place in enumerate(rows):
        y = frame.y + frame.height - (number + 1) * height
        label = "more" if math.isinf(_bound(bounds[place])) else told(_bound(bounds[place]), "s")
        parts.append(text(frame.x - 8, y + height / 2 + 4, label, "quiet end"))
        for time, column in columns.items():
            if column[place] > 0:
                opacity = 0.15 + 0.85 * math.sqrt(column[place] / most)
                cell = rect(frame.across(time), y + 1, width, height - 2, "f-orange")
                parts.append(cell.replace("/>", f' opacity="{opacity:.2f}"/>'))
    return parts


def _bound(le: str) -> float:
    return math.inf if le == "+Inf" else float(le)


def _columns(answers: Mapping[str, Points], bounds: Sequence[str]) -> dict[float, list[float]]:
    at: dict[float, dict[str, float]] = {}
    for le, points in answers.items():
        for time, value in points:
            at.setdefault(time, {})[le] = value
    count: Callable[[dict[str, float], int], float] = lambda one, place: max(  # noqa: E731
        0.0, one.get(bounds[place], 0) - (one.get(bounds[place - 1], 0) if place else 0)
    )
    return {time: [count(one, place) for place in range(len(bounds))] for time, one in at.items()}
