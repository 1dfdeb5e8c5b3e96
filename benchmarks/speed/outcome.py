"""What a part of the benchmark has found: figures and targets, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.duel.table import lines_of
from benchmarks.speed.rig import Rig

if TYPE_CHECKING:
    from benchmarks.speed.contenders import Contender

Tell = Callable[[str], None]
"""Says how far the work has come."""

SIZES = ("tiny", "quick", "normal", "full")


@dataclass(frozen=True)
class Options:
    """What was asked for.

    ``size``: one of `SIZES`; ``rounds``: the median of so many; ``settings`` of callspool;
    ``only``: contenders that take part, all if empty; ``rig``: what sets one to work.
    """

    size: str = "quick"
    rounds: int = 3
    settings: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    rig: Callable[[Contender], Rig] = Rig

    def pick(self, *by_size: int) -> int:
        """Returns the number for this size, of one for each in `SIZES`."""
        return by_size[SIZES.index(self.size)]


@dataclass(frozen=True)
class Finding:
    """One target, and what was reached."""

    what: str
    target: str
    reached: str
    met: bool

    @property
    def verdict(self) -> str:
        return "met" if self.met else "not met"


@dataclass
class Outcome:
    """``rows`` is a table, its first row the headings; ``figures`` is what goes into the JSON."""

    part: str
    title: str
    rows: Sequence[tuple[str, ...]]
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


def at_least(what: str, reached: float, target: float, form: str = "{:,.1f}") -> Finding:
    """Returns a finding about something that should be large."""
    return Finding(what, f"≥ {form.format(target)}", form.format(reached), reached >= target)


def at_most(what: str, reached: float, target: float, form: str = "{:,.1f}") -> Finding:
    """Returns a finding about something that should be small."""
    return Finding(what, f"≤ {form.format(target)}", form.format(reached), reached <= target)


def spread(values: Sequence[float], form: str = "{:,.0f}") -> str:
    """Returns the median, and between which two all of them lie."""
    middle = form.format(median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({form.format(min(values))} to {form.format(max(values))})"


def quantile(values: Sequence[float], part: float) -> float:
    """Returns the least value that at least ``part`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-part * len(ordered) // 1) - 1))]


def markdown(outcome: Outcome) -> str:
    """Returns a part's table, its targets, and what a reader has to know."""
    parts = [f"## {outcome.part}: {outcome.title}", "", *lines_of(outcome.rows), ""]
    if outcome.findings:
        parts += [*lines_of([("target", "", "reached", ""), *map(_finding, outcome.findings)]), ""]
    parts += [f"- {note}." for note in outcome.notes]
    return "\n".join(parts) + "\n"


def document(
    machine: Mapping[str, str], warning: str, options: Options, outcomes: Sequence[Outcome]
) -> bytes:
    """Returns everything as JSON."""
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
    """Returns the machine in one line."""
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def _finding(finding: Finding) -> tuple[str, ...]:
    return finding.what, finding.target, finding.reached, finding.verdict
