"""`callspool send` of a long list: `python -m benchmarks.intake`, with its targets."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.intake import FORMS, measure, write_contacts
from benchmarks.speed.outcome import Options, Outcome, Tell, at_least, at_most, spread

TARGETS = {"plus": 50_000.0, "parsed": 15_000.0}
"""Rows a second: one process, so one core for it, and another for the server."""

MEGABYTES = 150.0
WORDS = {"plus": "numbers in + form", "parsed": "each number has to be read"}


def run(options: Options, tell: Tell) -> Outcome:
    """Sends both kinds of lists into a server of its own."""
    rows = options.pick(500, 50_000, 1_000_000, 1_000_000)
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        for form in FORMS:
            path = Path(directory) / f"{form}.csv"
            write_contacts(path, rows, form)
            found[form] = [measure(path, form, real=True) for _ in range(options.rounds)]
            tell(f"{form}: {rows / median(each.seconds for each in found[form]):,.0f} rows/s")
    findings = []
    for form, runs in found.items():
        rate = median(rows / each.seconds for each in runs)
        peak = max(each.megabytes for each in runs)
        findings.append(at_least(f"{WORDS[form]}: rows/s", rate, TARGETS[form], "{:,.0f}"))
        findings.append(at_most(f"{WORDS[form]}: peak MB", peak, MEGABYTES, "{:,.0f}"))
    return Outcome(
        part="intake",
        title=f"callspool send of {rows:,} rows",
        rows=[
            ("", "rows/s", "CPU s", "peak MB"),
            *(
                (WORDS[form], spread([rows / each.seconds for each in runs]),
                 spread([each.cpu for each in runs], "{:,.1f}"),
                 spread([each.megabytes for each in runs]))
                for form, runs in found.items()
            ),
        ],
        findings=findings,
        figures={
            form: [{"seconds": each.seconds, "cpu": each.cpu, "megabytes": each.megabytes}
                   for each in runs]
            for form, runs in found.items()
        },
    )  # fmt: skip
