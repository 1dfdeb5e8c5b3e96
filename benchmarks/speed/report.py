"""Outcomes as Markdown, which reads well on a terminal too, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.speed.outcome import Finding, Options, Outcome


def markdown(outcome: Outcome) -> str:
    """A part's table, its targets, and what a reader has to know."""
    parts = [f"## {outcome.part}: {outcome.title}", "", *table(outcome.rows), ""]
    if outcome.findings:
        parts += [*table([("target", "", "reached", ""), *map(_finding, outcome.findings)]), ""]
    parts += [f"- {note}." for note in outcome.notes]
    return "\n".join(parts) + "\n"


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of a table; the first row holds the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = ["-" * widths[0], *("-" * max(1, width - 1) + ":" for width in widths[1:])]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, f"| {' | '.join(rule)} |")
    return lines


def document(
    machine: Mapping[str, str], warning: str, options: Options, outcomes: Sequence[Outcome]
) -> bytes:
    """Everything as JSON."""
    report = {
        "machine": machine,
        "warning": warning,
        "size": options.size,
        "rounds": options.rounds,
        "settings": options.settings,
        "parts": {outcome.part: asdict(outcome) for outcome in outcomes},
    }
    return msgspec.json.format(msgspec.json.encode(report)) + b"\n"


def machine_line(machine: Mapping[str, str]) -> str:
    """The machine in one line."""
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def _finding(finding: Finding) -> tuple[str, ...]:
    return finding.what, finding.target, finding.reached, finding.verdict


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = row
    cells = [first.ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
    return f"| {' | '.join(cells)} |"
