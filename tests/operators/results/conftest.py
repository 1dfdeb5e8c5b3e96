"""A ledger in which each state is taken by a document, and commands that look at it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.operators.conftest import Call, Result, call
from tests.support.ledgers import LANE, LedgerUnderTest, calls, group

__all__ = ["call"]

SPACE = ["--space-token", LANE.space_token]
TASKS = [f"T{number:032x}" for number in range(100)]
Rows = list[dict[str, str]]
GiveBack = Callable[..., tuple[Result, Rows]]


@pytest.fixture
def spool(client: redis.Redis) -> LedgerUnderTest:
    """``made`` is created, ``lost`` in doubt, ``bad`` dead and ``new`` waiting."""
    spool = LedgerUnderTest(client, batch_size=1, linger_ms=0)
    outcomes = {
        "made": lambda taken: calls.record_created(taken, "R1", TASKS[: taken.count], "200"),
        "lost": lambda taken: calls.doubt(
            taken, outcome="no_answer", code="", detail="timed out", proof=b"{}"
        ),
        "bad": lambda taken: calls.bury(
            taken, outcome="rejected", code="400", detail="=cmd: the API's words"
        ),
    }
    for document_id, outcome in outcomes.items():
        spool.accept(group([document_id]))
        taken = spool.ledger.take("me:1", ["default"])
        assert taken is not None
        spool.ledger.run([outcome(taken)])
    spool.accept(group(["new"]))
    return spool


@pytest.fixture
def give_back(call: Call, redis_url: str, tmp_path: Path) -> GiveBack:
    """Runs ``results`` and reads what it wrote."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> tuple[Result, Rows]:
        where = [*SPACE, "--redis", redis_url]
        result = call("results", *arguments, *where, "-o", tmp_path / "out.csv", stdin=stdin)
        text = (tmp_path / "out.csv").read_text(encoding="utf-8") if result.code < 2 else ""
        delimiter = "\t" if "\t" in text else ","
        return result, list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))

    return run
