"""CPU and memory of processes, read from /proc, or from ps where there is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system seconds of these processes so far; 0 for those that are gone."""
    return sum(map(_cpu, pids))


def memory_bytes(pids: Iterable[int]) -> int:
    """Resident bytes now."""
    return sum(_status(pid, "VmRSS:") for pid in pids)


def peak_bytes(pids: Iterable[int]) -> int:
    """The most that was ever resident, each process by itself, added up."""
    return sum(_status(pid, "VmHWM:") for pid in pids)


def _cpu(pid: int) -> float:
    if _PROC.is_dir():
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS
    days, _, clock = _ps(pid, "time").rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part or 0)
    return seconds + 86_400 * int(days or 0)


def _status(pid: int, name: str) -> int:
    if not _PROC.is_dir():
        return int(_ps(pid, "rss") or 0) * 1024
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def _ps(pid: int, what: str) -> str:
    command = ["ps", "-o", f"{what}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
