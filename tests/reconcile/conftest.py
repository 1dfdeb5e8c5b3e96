"""A stage for each test: its own API with the faults that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis

from callspool_sandbox.process import SandboxProcess
from tests.reconcile.stage import Stage

SetUp = Callable[..., Stage]


@pytest.fixture
def set_up(client: redis.Redis, tmp_path: Path) -> Iterator[SetUp]:
    """Begins a stage; ``faults`` in TOML, everything else as `Stage` takes it."""
    with ExitStack() as stack:

        def begin(faults: str = "", **options: object) -> Stage:
            api = SandboxProcess(log=tmp_path / "api.jsonl", faults=faults)
            stack.enter_context(api)
            return stack.enter_context(closing(Stage(client, api, **options)))  # type: ignore[arg-type]

        yield begin
