from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callspool_sandbox.process import SandboxProcess
from tests.support.cli import REAL, environment


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    """An API that outlives the runs, and remembers all that was ever created."""
    with SandboxProcess(log=tmp_path / "api.jsonl") as started:
        yield started


@pytest.fixture
def env(tmp_path: Path, sandbox: SandboxProcess) -> dict[str, str]:
    """The settings of an account whose API is the sandbox."""
    return environment(tmp_path, CALLSPOOL_API_URL=sandbox.url, **REAL)
