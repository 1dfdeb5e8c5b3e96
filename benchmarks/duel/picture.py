"""The outcomes as a picture: bars of those called twice, lost and in doubt. SVG, no libraries."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.duel.outcome import Outcome

ROW, TOP, LEFT, WIDTH = 44, 116, 236, 820
BARS = (("called twice", "twice"), ("lost", "lost"), ("in doubt", "doubt"))
GAP = 16
BAR = (WIDTH - LEFT - 20) // len(BARS) - GAP
LABEL = 52
"""Room beside a full bar for its number."""

WHAT = (
    "Twice, lost: counted from the API's own log. In doubt: held back, and shown to the operator."
)

STYLE = """
  svg { font-family: system-ui, sans-serif; font-size: 15px }
  .card { fill: #ffffff; stroke: #d0d7de } .text { fill: #1f2328 } .quiet { fill: #59636e }
  .rail { fill: #eaeef2 } .twice { fill: #cf222e } .lost { fill: #8250df } .doubt { fill: #bf8700 }
  .ours { font-weight: 700 } .title { font-size: 18px; font-weight: 700 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d } .text { fill: #f0f6fc } .quiet { fill: #9198a1 }
    .rail { fill: #212830 } .twice { fill: #ff7b72 } .lost { fill: #bc8cff }
    .doubt { fill: #d29922 }
  }
"""


def picture(outcomes: Sequence[Outcome]) -> str:
    """An SVG document with its own background, for light pages and dark ones."""
    height = TOP + ROW * len(outcomes) + 12
    contacts = max((outcome.verdict.contacts for outcome in outcomes), default=0)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">'
        ),
        f'<title id="title">{escape(_in_words(outcomes))}</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        _text(20, 34, f"Of {contacts:,} contacts, under the same faults and kills", "text title"),
    ]
    parts.append(_text(20, 60, WHAT, "quiet"))
    parts += [_text(_start(place), 100, name, "text") for place, (name, _) in enumerate(BARS)]
    for number, outcome in enumerate(outcomes):
        parts += _row(outcome, TOP + ROW * number, _most(outcomes))
    return "\n".join([*parts, "</svg>", ""])


def _row(outcome: Outcome, top: int, most: int) -> list[str]:
    ours = " ours" if outcome.name == "callspool" else ""
    parts = [_text(20, top + 20, outcome.name, f"text{ours}")]
    for place, (count, (_, style)) in enumerate(zip(_counts(outcome), BARS, strict=True)):
        start, length = _start(place), round((BAR - LABEL) * count / most) if most else 0
        parts.append(_bar(start, top + 6, BAR - LABEL, "rail"))
        if count:
            parts.append(_bar(start, top + 6, max(3, length), style))
        parts.append(_text(start + BAR - LABEL + 8, top + 20, f"{count:,}", f"text{ours}"))
    return parts


def _counts(outcome: Outcome) -> tuple[int, ...]:
    verdict = outcome.verdict
    return verdict.called_twice, verdict.lost, verdict.in_doubt


def _most(outcomes: Sequence[Outcome]) -> int:
    return max((count for outcome in outcomes for count in _counts(outcome)), default=0)


def _in_words(outcomes: Sequence[Outcome]) -> str:
    return "; ".join(
        f"{outcome.name}: {twice} called twice, {lost} lost, {doubt} in doubt"
        for outcome in outcomes
        for twice, lost, doubt in [_counts(outcome)]
    )


def _start(place: int) -> int:
    return LEFT + place * (BAR + GAP)


def _bar(x: int, y: int, width: int, style: str) -> str:
    return f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="18" rx="3"/>'


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'
