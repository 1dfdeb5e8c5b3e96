"""A stage for each test: its own API with the faults that it names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis

from callspool_sandbox.process import SandboxProcess
from tests.worker.proving.played import PlayedApi
from tests.worker.proving.stage import QUIET, Stage

SEEDS = range(int(os.environ.get("CALLSPOOL_TEST_SEEDS", "4")))
"""The seeds of tests in which chance takes part: few in the gate, 20 with `make seeds`."""

SetUp = Callable[..., Stage]
Play = Callable[..., tuple[Stage, PlayedApi]]


@pytest.fixture
def set_up(client: redis.Redis, tmp_path: Path) -> Iterator[SetUp]:
    """Begins a stage; ``faults`` in TOML, everything else as `Stage` takes it."""
    with ExitStack() as stack:

        def begin(faults: str = "", **options: object) -> Stage:
            api = SandboxProcess(log=tmp_path / "api.jsonl", faults=faults)
            stack.enter_context(api)
            return stack.enter_context(closing(Stage(client, api, **options)))  # type: ignore[arg-type]

        yield begin


@pytest.fixture
def play(client: redis.Redis) -> Iterator[Play]:
    """Begins a stage with an API that is played; ``ways`` as `played.Ways`, the rest as `Stage`."""
    with ExitStack() as stack:

        def begin(
            ways: dict[str, object] | None = None, seed: int = 0, **options: object
        ) -> tuple[Stage, PlayedApi]:
            api = PlayedApi(seed, **(ways or {}))
            options.setdefault("quiet_answered", options.get("quiet", QUIET))
            return stack.enter_context(closing(Stage(client, api, **options))), api  # type: ignore[arg-type]

        yield begin
