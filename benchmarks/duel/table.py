"""The outcomes as a table in Markdown, which reads well on a terminal too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.duel import stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.duel.verdict import Outcome

HEADINGS = (
    "",
    "called once",
    "called twice",
    "lost",
    "in doubt",
    "given up",
    "refused rightly",
    "still open",
    "POSTs",
    "reads",
    "seconds",
)


def table(outcomes: Sequence[Outcome]) -> str:
    """Returns one row a contestant, then what the columns mean and what each contestant is."""
    lines = lines_of([HEADINGS, *(_row(outcome) for outcome in outcomes)])
    return "\n".join([*lines, "", *footnotes(outcomes)])


def lines_of(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Returns the rows, of which the first holds the headings, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines.insert(1, _line(rule, widths))
    return lines


def footnotes(outcomes: Sequence[Outcome]) -> list[str]:
    """Returns what a reader has to know to judge the figures."""
    notes = [
        "Called: what the API's own log says it created. Of those called twice, the number in",
        "brackets had been enqueued only once; the others were enqueued twice by the producer.",
        "Lost: never called, and the contestant does not know of them any more. In doubt: held",
        "back and shown to the operator; in brackets those who had not been called. Given up:",
        "never called, kept in a list of failures.",
        f"Callspool runs with CALLSPOOL_PROOF_QUIET={stage.PROOF_QUIET:g} and",
        f"CALLSPOOL_PROOF_QUIET_ANSWERED={stage.PROOF_QUIET_ANSWERED:g}, where the defaults are",
        "300 and 15 seconds: this API creates nothing later than that.",
        "",
    ]
    notes += [f"- {outcome.name}: {outcome.note}." for outcome in outcomes]
    notes += [
        f"- {outcome.name} was stopped before it was done."
        for outcome in outcomes
        if not outcome.finished
    ]
    return notes


def _row(outcome: Outcome) -> tuple[str, ...]:
    verdict = outcome.verdict
    return (
        outcome.name,
        f"{verdict.called_once:,}",
        _with_part(verdict.called_twice, verdict.twice_unasked),
        f"{verdict.lost:,}",
        _with_part(verdict.in_doubt, verdict.uncalled_in_doubt),
        f"{verdict.given_up:,}",
        f"{verdict.refused:,}",
        f"{verdict.open:,}",
        f"{verdict.posts:,}",
        f"{verdict.reads:,}",
        f"{outcome.seconds:.0f}",
    )


def _with_part(whole: int, part: int) -> str:
    return f"{whole:,} ({part:,})" if whole else "0"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    padded = [first.ljust(widths[0])]
    padded += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
    return f"| {' | '.join(padded)} |"
