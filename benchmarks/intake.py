"""How fast a list of contacts is checked and enqueued, and in how much memory.

Makes files of fictional contacts, with numbers in ``+`` form and with numbers that have to be read
(``(415) 555-0100`` and a region), then runs ``callspool send``, once as a rehearsal and once into
a server of its own that appends every change to disk. Prints one line a run.

    python -m benchmarks.intake [--rows 1000000] [--repeat 1]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.support.servers import RedisServer

HEADER = ("ID", "Full Name", "Phone", "E-Mail", "Company", "Plan", "City")
TARGET = ("--space-token", "8KZBENCHMARK", "--pilot", "space-agent", "--context", "Follow up")
FORMS = {"plus": "+1{0}{1}{2}", "parsed": "({0}) {1}-{2}"}


@dataclass(frozen=True)
class Result:
    """One run: wall-clock and CPU seconds, peak resident megabytes, rows enqueued or found good."""

    seconds: float
    cpu: float
    megabytes: float
    good: int


def write_contacts(path: Path, rows: int, form: str) -> None:
    """Writes a CSV file of people who do not exist; each has a number of its own."""
    pattern = FORMS[form]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for row in range(rows):
            digits = f"{2_000_000_000 + row * 7}"
            number = pattern.format(digits[:3], digits[3:6], digits[6:])
            person = (f"crm-{row}", f"Person {row}", number, f"p{row}@example.org")
            writer.writerow((*person, f"Company {row % 97}", "gold", "Paris"))


def measured(arguments: list[str]) -> Result:
    """Runs ``callspool`` in a process of its own, so that its peak of memory is its own."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("CALLSPOOL_")}
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "callspool", *arguments],
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode:
        sys.exit(f"callspool ended with {process.returncode}")
    documents = json.loads(out)["documents"]
    good = documents["enqueued"] or documents.get("valid", 0)
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Result(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, good)


def measure(path: Path, form: str, *, real: bool) -> Result:
    flags = ["send", str(path), *TARGET, "--json", "--yes"]
    flags += ["--region", "US"] if form == "parsed" else []
    if not real:
        return measured([*flags, "--dry-run", "--redis", "redis://127.0.0.1:1"])
    with RedisServer("--appendfsync", "everysec", append_only=True) as server:
        return measured([*flags, "--redis", server.url])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=1, help="the median of so many runs is told")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for form in FORMS:
            path = Path(directory) / f"{form}.csv"
            write_contacts(path, given.rows, form)
            for real in (False, True):
                runs = [measure(path, form, real=real) for _ in range(given.repeat)]
                seconds = median(each.seconds for each in runs)
                peak = max(each.megabytes for each in runs)
                print(
                    f"{form:<7} {'send' if real else 'dry run':<8} {runs[0].good:>9,} rows"
                    f" {seconds:7.1f} s {given.rows / seconds:9,.0f} rows/s"
                    f" {median(each.cpu for each in runs):7.1f} CPU s {peak:6.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
