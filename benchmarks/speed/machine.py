"""The machine that figures belong to, and whether others use it at the same time."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.support.servers import RedisServer

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
    """A warning where others use the machine; "" on a quiet one."""
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
