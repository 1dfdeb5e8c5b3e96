"""A Redis for crash points: one that wakes whoever waits for a message at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import RedisServer


@pytest.fixture(scope="module")
def quick_server() -> Iterator[RedisServer]:
    # Ten times a second, as a rule, Redis looks whom it let wait for long enough.
    with RedisServer("--hz", "500") as server:
        yield server
