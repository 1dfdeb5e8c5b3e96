"""Each import contract, broken once on purpose: a contract that holds nothing is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("producers", "worker", "sandbox")

VIOLATIONS = [
    ("producers/callspool/queue.py", "import callspool_worker.app", "The core needs nothing"),
    ("producers/callspool/queue.py", "import httpx", "The core needs nothing"),
    ("worker/callspool_worker/decisions.py", "import time", "Decisions are pure"),
    ("worker/callspool_worker/submit.py", "import httpx", "Only the API package speaks HTTP"),
    ("worker/callspool_worker/recording.py", "import redis", "In the worker only the ledger"),
    (
        "worker/callspool_worker/decisions.py",
        "import callspool_worker.submit",
        "The worker is built in layers",
    ),
    ("worker/callspool_worker/brand_new.py", "", "The worker is built in layers"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, place / package)
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(tree / package) for package in PACKAGES)
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("file", "line", "contract"), VIOLATIONS)
def test_a_planted_violation_is_found(file: str, line: str, contract: str, copy: Path):
    planted = copy / file
    before = planted.read_text() if planted.exists() else None
    planted.write_text(f"{before or ''}\n{line}\n")
    try:
        result = lint(copy)
    finally:
        if before is None:
            planted.unlink()
        else:
            planted.write_text(before)
    assert result.returncode == 1
    broken = [row for row in result.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), result.stdout


def test_the_tree_as_it_is_breaks_none(copy: Path):
    assert lint(copy).returncode == 0
