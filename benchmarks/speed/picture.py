"""Documents per second and CPU of each contender as a picture: SVG, no libraries."""

from __future__ import annotations

from html import escape
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.speed.trial import Trial

ROW, TOP, LEFT, WIDTH = 44, 116, 236, 820
BARS = (("documents per second", "speed"), ("CPU seconds for 100,000", "cpu"))
GAP = 16
BAR = (WIDTH - LEFT - 20) // len(BARS) - GAP
LABEL = 72
"""Room beside a full bar for its number."""

STYLE = """
  svg { font-family: system-ui, sans-serif; font-size: 15px }
  .card { fill: #ffffff; stroke: #d0d7de } .text { fill: #1f2328 } .quiet { fill: #59636e }
  .rail { fill: #eaeef2 } .speed { fill: #1a7f37 } .cpu { fill: #bf8700 }
  .ours { font-weight: 700 } .title { font-size: 18px; font-weight: 700 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d } .text { fill: #f0f6fc } .quiet { fill: #9198a1 }
    .rail { fill: #212830 } .speed { fill: #3fb950 } .cpu { fill: #d29922 }
  }
"""


def picture(names: Mapping[str, str], trials: Mapping[str, Sequence[Trial]], what: str) -> str:
    """An SVG document with its own background, for light pages and dark ones."""
    figures = {
        key: (median(each.rate for each in found), median(each.cpu for each in found))
        for key, found in trials.items()
    }
    height = TOP + ROW * len(figures) + 12
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">'
        ),
        f'<title id="title">{escape(_in_words(names, figures))}</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        _text(20, 34, "Documents handed to the API, and what that costs", "text title"),
        _text(20, 60, what, "quiet"),
    ]
    parts += [_text(_start(place), 100, name, "text") for place, (name, _) in enumerate(BARS)]
    most = [max(pair[place] for pair in figures.values()) for place in range(len(BARS))]
    for number, (key, pair) in enumerate(figures.items()):
        parts += _row(names[key], key == "callspool", pair, TOP + ROW * number, most)
    return "\n".join([*parts, "</svg>", ""])


def _row(
    name: str, is_ours: bool, pair: tuple[float, float], top: int, most: Sequence[float]
) -> list[str]:
    ours = " ours" if is_ours else ""
    parts = [_text(20, top + 20, name, f"text{ours}")]
    forms = ("{:,.0f}", "{:,.1f}")
    for place, (value, form, (_, style)) in enumerate(zip(pair, forms, BARS, strict=True)):
        start, length = _start(place), round((BAR - LABEL) * value / most[place])
        parts.append(_bar(start, top + 6, BAR - LABEL, "rail"))
        parts.append(_bar(start, top + 6, max(3, length), style))
        parts.append(_text(start + BAR - LABEL + 8, top + 20, form.format(value), f"text{ours}"))
    return parts


def _in_words(names: Mapping[str, str], figures: Mapping[str, tuple[float, float]]) -> str:
    return "; ".join(
        f"{names[key]}: {rate:,.0f} documents per second, {cpu:,.1f} CPU seconds for 100,000"
        for key, (rate, cpu) in figures.items()
    )


def _start(place: int) -> int:
    return LEFT + place * (BAR + GAP)


def _bar(x: int, y: int, width: int, style: str) -> str:
    return f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="18" rx="3"/>'


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'
