"""Shapes and words of a picture, in colours for light pages and dark ones."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = {
    "green": "green",
    "yellow": "yellow",
    "orange": "orange",
    "red": "red",
    "blue": "blue",
    "purple": "purple",
    "#8e8e8e": "gray",
}
CYCLE = ("green", "yellow", "blue", "orange", "red", "purple", "gray")

_LIGHT = {
    "green": "#2f8132",
    "yellow": "#b08800",
    "orange": "#d4590b",
    "red": "#cf222e",
    "blue": "#0969da",
    "purple": "#8250df",
    "gray": "#6e7781",
}
_DARK = {
    "green": "#73bf69",
    "yellow": "#f2cc0c",
    "orange": "#ff9830",
    "red": "#f2495c",
    "blue": "#5794f2",
    "purple": "#b877d9",
    "gray": "#9198a1",
}


def _colors(palette: dict[str, str]) -> str:
    return " ".join(
        f".s-{name} {{ stroke: {value} }} .f-{name} {{ fill: {value} }}"
        for name, value in palette.items()
    )


STYLE = f"""
  svg {{ font-family: system-ui, sans-serif; font-size: 12px }}
  .page {{ fill: #f6f8fa; stroke: #d0d7de }} .card {{ fill: #ffffff; stroke: #d0d7de }}
  .text {{ fill: #1f2328 }} .quiet {{ fill: #59636e }} .grid {{ stroke: #eaeef2 }}
  .title {{ font-size: 18px; font-weight: 700 }} .name {{ font-size: 13px; font-weight: 600 }}
  .large {{ font-size: 34px; font-weight: 600 }} .line {{ fill: none; stroke-width: 1.8;
  stroke-linejoin: round }} .area {{ fill-opacity: .35 }} .dash {{ stroke-dasharray: 5 4;
  stroke-width: 1.2 }} .end {{ text-anchor: end }} .middle {{ text-anchor: middle }}
  {_colors(_LIGHT)}
  @media (prefers-color-scheme: dark) {{
    .page {{ fill: #0d1117; stroke: #3d444d }} .card {{ fill: #181b1f; stroke: #2c3038 }}
    .text {{ fill: #f0f6fc }} .quiet {{ fill: #9198a1 }} .grid {{ stroke: #2a2e36 }}
    {_colors(_DARK)}
  }}
"""


def document(width: int, height: int, words: str, parts: Sequence[str]) -> str:
    """The picture; ``words`` is what somebody hears who does not see it."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-labelledby="title">'
    )
    page = f'<rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>'
    title = f'<title id="title">{escape(words)}</title>'
    return "\n".join([head, title, f"<style>{STYLE}</style>", page, *parts, "</svg>", ""])


def text(x: float, y: float, words: str, style: str = "text") -> str:
    """Words, their baseline at y."""
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, style: str, rounded: int = 0) -> str:
    """A rectangle."""
    return (
        f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}"'
        f' height="{max(0.0, height):.1f}" rx="{rounded}"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def path(points: Sequence[tuple[float, float]], style: str, *, closed: bool = False) -> str:
    """A line through points; closed, an area."""
    told = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path class="{style}" d="M{told}{"Z" if closed else ""}"/>'


def color_of(name: str, named: dict[str, str], place: int) -> str:
    """The colour of a series: its own, else the next of the cycle."""
    return NAMED.get(named.get(name, ""), CYCLE[place % len(CYCLE)])
