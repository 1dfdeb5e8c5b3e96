"""Stories of APIs, and what has to come of them: data, with bands."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.worker.permits.simulator import Server, World

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))
SEEDS = range(1, 6)


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    """Bands, after the warm-up: mean of requests in flight, share of what the API would have
    carried out, share of refusals, and the most requests in flight at any time.
    """

    in_flight: tuple[float, float]
    share: tuple[float, float]
    refused: tuple[float, float] = (0.0, 0.0)
    peak: tuple[int, int] = (0, 10_000)


class Scenario(msgspec.Struct, forbid_unknown_fields=True):
    why: str
    seconds: float
    warm_up: float
    server: Server
    expected: Expected
    threads: int = 256


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_what_comes_of_a_scenario_lies_within_its_bands(path: Path) -> None:
    scenario = msgspec.toml.decode(path.read_bytes(), type=Scenario)
    expected = scenario.expected
    for seed in SEEDS if scenario.server.jitter else (1,):
        seen = World(scenario.server, scenario.threads, seed).run(
            scenario.seconds, scenario.warm_up
        )
        found = {
            "in_flight": seen.in_flight,
            "share": seen.share,
            "refused": seen.refused_share,
            "peak": seen.peak,
        }
        for name, number in found.items():
            low, high = getattr(expected, name)
            assert low <= number <= high, (scenario.why, seed, name, number, found)
