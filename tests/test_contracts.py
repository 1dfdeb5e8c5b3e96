"""Each import contract, broken once on purpose: a contract that holds nothing is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("producers", "ledger", "worker", "operators", "sandbox")

VIOLATIONS = [
    ("producers/callspool/queue.py", "import callspool_worker.app", "The floors of the house"),
    (
        "producers/callspool/request/phones.py",
        "import callspool_ledger.keys",
        "The floors of the house",
    ),
    (
        "ledger/callspool_ledger/keys.py",
        "import callspool.enqueue.storing",
        "The floors of the house",
    ),
    (
        "worker/callspool_worker/app.py",
        "import callspool_operators.group",
        "The floors of the house",
    ),
    ("producers/callspool/brand_new.py", "", "Every room of the producers"),
    ("producers/callspool/request/phones.py", "import callspool.queue", "Every room of the prod"),
    ("ledger/callspool_ledger/brand_new.py", "", "Every room of the ledger"),
    (
        "ledger/callspool_ledger/reads/lanes.py",
        "import callspool_ledger.writes.calls",
        "Every room of the ledger",
    ),
    ("worker/callspool_worker/brand_new.py", "", "Every room of the worker"),
    (
        "worker/callspool_worker/decisions/decide.py",
        "import callspool_worker.sending.submit",
        "Every room of the worker",
    ),
    ("operators/callspool_operators/brand_new.py", "", "Every room of the operators"),
    (
        "operators/callspool_operators/lists/row.py",
        "import callspool_operators.commands.send",
        "Every room of the operators",
    ),
    ("producers/callspool/queue.py", "import httpx", "The core needs nothing"),
    (
        "operators/callspool_operators/serving/app.py",
        "import callspool_worker.decisions.decide",
        "The HTTP intake knows nothing of the worker",
    ),
    ("worker/callspool_worker/decisions/decide.py", "import time", "Decisions are pure"),
    (
        "worker/callspool_worker/sending/submit.py",
        "import httpx",
        "Only the API package speaks HTTP",
    ),
    (
        "worker/callspool_worker/sending/recording.py",
        "import redis",
        "The worker reaches Redis through the ledger",
    ),
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
