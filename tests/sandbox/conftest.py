"""A plain sandbox that the tests of this folder share; spaces keep them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from callspool_sandbox.process import SandboxProcess
from tests.sandbox.client import Client

if TYPE_CHECKING:
    from pathlib import Path

StartSandbox = Callable[..., Client]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSandbox]:
    """Starts sandboxes that end with the tests."""
    with ExitStack() as running:

        def starting(**options: Any) -> Client:
            log: Path = tmp_path_factory.mktemp("sandbox") / "log"
            process = running.enter_context(SandboxProcess(log=log, **options))
            return running.enter_context(Client(process))

        yield starting


@pytest.fixture(scope="session")
def plain(start: StartSandbox) -> Client:
    """A sandbox without faults."""
    return start()
