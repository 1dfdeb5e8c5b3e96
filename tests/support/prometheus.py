"""Prometheus' own programs, for the tests that ask them: Debian's package `prometheus` has both.

Such tests carry ``@pytest.mark.prometheus``. On a machine without the programs they are left out,
and the run says so; with CALLSPOOL_TEST_REQUIRE_PROMETHEUS=1, as in the gate, they fail instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PROGRAMS = ("promtool", "prometheus")
REQUIRED = "CALLSPOOL_TEST_REQUIRE_PROMETHEUS"
REMEDY = (
    "install Prometheus (Debian and Ubuntu: apt-get install prometheus;"
    " macOS: brew install prometheus)"
)


def find(program: str) -> str:
    """The path of one of the programs; raises `LookupError` that says what to install."""
    found = shutil.which(program)
    if found is None:
        raise LookupError(f"{program} is not on the PATH: {REMEDY}")
    return found


def missing() -> list[str]:
    """The programs that are not on the PATH."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def are_left_out() -> bool:
    """Whether tests that need the programs are not collected here."""
    return bool(missing()) and os.environ.get(REQUIRED) != "1"


def promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs promtool to its end."""
    return subprocess.run(
        [find("promtool"), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
