"""Every I/O step of a worker, and of a producer, cut before it, amid it and before its reply.

Of each scenario all steps are counted first: those of accepting, submitting, settling, proving,
isolating, parking, reading back after a restart of Redis, and sweeping. Then it is played once for
each point, and another worker takes over. In the end every document has to be created exactly once
at the API and recorded with its run and task, or be dead where that is the right end; all counts
have to add up, nothing may be left in doubt or under way, and the ledger has to be whole.

The gate tries one of several points between which the world does not change (after a step and
before the next, before a read and after it), and not all of those of scenarios that differ little
from another or take their time. CALLSPOOL_CRASH_POINTS=all tries each of them, and more second
crashes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.crashpoints.scenarios import SCENARIOS, Scenario
from tests.crashpoints.trial import first_crashes, second_crashes
from tests.crashpoints.world import World
from tests.support.servers import RedisServer

Record = Callable[[str, object], None]


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_a_worker_that_dies_anywhere_loses_nothing_and_has_nothing_created_twice(
    scenario: Scenario, quick_server: RedisServer, tmp_path: Path, record_property: Record
):
    with (
        quick_server.client() as client,
        closing(World(scenario, quick_server.url, client, tmp_path)) as world,
    ):
        (steps,) = world.play()
        trials = first_crashes(steps, scenario.one_in)
        failures = [trial.failure(world) for trial in trials]
        failures += [trial.failure(world) for trial in second_crashes(scenario, trials)]
        told = [failure for failure in failures if failure]
        assert not told, "\n".join([f"{len(told)} of {len(failures)} points fail", *told])
        world.check_logs()
    record_property("crash points", len(failures))


def test_a_producer_that_dies_anywhere_may_enqueue_everything_again(
    quick_server: RedisServer, tmp_path: Path, record_property: Record
):
    with (
        quick_server.client() as client,
        closing(World(SCENARIOS[0], quick_server.url, client, tmp_path)) as world,
    ):
        points = [point for step in world.play_producer() for point in step.points()]
        for point in points:
            world.play_producer(point)
        world.check_logs()
    record_property("crash points", len(points))
