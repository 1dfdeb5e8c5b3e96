"""The machine that figures belong to, and CPU and memory of its processes."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGES = ("callspool", "dramatiq", "celery", "celery-batches", "redis", "httpx", "msgspec")
QUIET = 0.7
"""Load of the last minute above which somebody else is at work here."""


def describe() -> dict[str, str]:
    """Cores, system, versions."""
    return {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "server": _server(),
        **{name: found for name in PACKAGES if (found := _version(name))},
    }


def disturbance() -> str:
    """Returns a warning where others use the machine; "" on a quiet one."""
    load = os.getloadavg()[0]
    if load < QUIET:
        return ""
    return (
        f"the load of this machine is {load:.1f} already: rates are too low, and only ratios,"
        " of trials that took turns, mean something"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _server() -> str:
    with RedisServer() as server, server.client() as client:
        found = client.info("server")
    name = "Valkey" if "valkey_version" in found else "Redis"
    return f"{name} {found.get('valkey_version') or found['redis_version']}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Returns user and system seconds of these processes; 0 for those that are gone."""
    return sum(map(_cpu, pids))


def memory_bytes(pids: Iterable[int]) -> int:
    """Returns the resident bytes now."""
    return sum(_status(pid, "VmRSS:") for pid in pids)


def peak_bytes(pids: Iterable[int]) -> int:
    """Returns the most that was ever resident, each process by itself, added up."""
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
