"""Fixtures that every test may use: a real Redis-compatible server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, settings

from tests.support import prometheus
from tests.support.servers import RedisServer

# The gate tries the same examples each time, and how fast a machine makes them up is no test.
# HYPOTHESIS_PROFILE=default looks for others.
settings.register_profile(
    "gate", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty server."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of the empty server."""
    with redis.Redis.from_url(redis_url) as connected:
        yield connected


def pytest_configure() -> None:
    """Lets an interrupt reach the commands under test: a shell's background jobs ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs Prometheus' programs where they are missing; begins with long tests."""
    if prometheus.are_left_out():
        left_out = [item for item in items if item.get_closest_marker("prometheus")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    items[:] = _put_long_tests_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _put_long_tests_first(items: list[pytest.Item], shares: int) -> list[pytest.Item]:
    """Returns the tests with the long ones at the beginning of each process' equal share."""
    long = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if not item.get_closest_marker("long")]
    ordered: list[pytest.Item] = []
    for share in range(shares):
        first = long[share::shares]
        end = len(items) * (share + 1) // shares if share + 1 < shares else len(items)
        count = max(0, end - len(ordered) - len(first))
        ordered += [*first, *others[:count]]
        del others[:count]
    return ordered


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tells how many crash points were tried, wherever the tests ran, and what was left out."""
    if prometheus.are_left_out():
        absent = " and ".join(prometheus.missing())
        terminalreporter.write_line(
            f"left out: the tests that need {absent}; to run them, {prometheus.REMEDY}"
        )
    tried = [
        int(str(value))
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "crash points"
    ]
    if tried:
        terminalreporter.write_line(f"crash points tried: {sum(tried):,} in {len(tried)} scenarios")
