"""The command line as a user types it: in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "callspool"]

REAL = {
    "CALLSPOOL_API_TOKEN": "tok-9f8e7d6c5b4a",
    "CALLSPOOL_ORG_HANDLE": "acme.example",
    "CALLSPOOL_SPACE_TOKEN": "8KZTESTSPACE",
    "CALLSPOOL_PILOT": "space-agent-test",
    "CALLSPOOL_CONTEXT": "Follow up on the proposal",
}
"""Settings of an account that does not exist, for an API on this machine."""


def environment(home: Path, **settings: str) -> dict[str, str]:
    """An environment without any setting of callspool but these, and a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CALLSPOOL_")}
    return {**kept, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), **settings}


def start(arguments: list[str], env: dict[str, str], cwd: Path) -> subprocess.Popen[str]:
    """Starts a command in a session of its own, so that a signal reaches it alone."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def call(
    arguments: list[str], env: dict[str, str], cwd: Path, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    process = start(arguments, env, cwd)
    out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def report(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a command printed with --json, which is one JSON object and nothing else."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def write_contacts(path: Path, number: int, start_at: int = 0) -> Path:
    """A CSV file of fictional people, each with an id and a number of their own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["ID", "Full Name", "Phone", "Plan"])
        for row in range(start_at, start_at + number):
            area, line = 200 + row // 100, row % 100
            assert area < 1000, "there are no more fictional numbers than that"
            writer.writerow([f"crm-{row}", f"Person {row}", f"+1{area}55501{line:02}", "gold"])
    return path
