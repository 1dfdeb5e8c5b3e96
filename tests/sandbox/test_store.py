"""The store stays small, and its ids repeat only where a seed says so."""

from __future__ import annotations

import tracemalloc
from uuid import UUID

from callspool_sandbox.store import Store


def test_a_hundred_thousand_tasks_cost_memory_for_their_runs_only() -> None:
    store = Store()
    content = b'{"documents": []}' + b" " * 1000
    tracemalloc.start()
    try:
        for _ in range(1000):
            store.add_tasks(store.start_run("S", content, 100, 1.0), 100, 1.0)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        store.close()
    assert used < 500_000


def test_a_seed_makes_the_ids_repeatable() -> None:
    def ids(seed: int | None) -> tuple[str, bytes]:
        store = Store(seed)
        run = store.start_run("S", b"{}", 2, 1.0)
        store.add_tasks(run, 2, 1.0)
        made = store.run_id(run), store.task_ids_json(run, 2)
        store.close()
        return made

    assert ids(5) == ids(5)
    assert len({ids(5), ids(6), ids(None), ids(None)}) == 4


def test_ids_are_version_1_uuids_that_hold_the_server_s_time() -> None:
    store = Store(servers=2)
    moment = 1_770_000_000.25
    run = store.start_run("S", b"{}", 3, moment, server=1)
    store.add_tasks(run, 2, moment, 1)
    store.add_tasks(run, 1, moment + 5, 1)
    ids = [UUID(store.run_id(run)[1:]), *(UUID(store.task_id(run, n)[1:]) for n in range(3))]
    store.close()
    assert {each.version for each in ids} == {1}
    told = [each.time / 1e7 - 12_219_292_800 for each in ids]
    assert all(abs(each - moment) < 0.001 for each in told[:3])
    assert abs(told[3] - moment - 5) < 0.001


def test_ids_never_repeat_where_clocks_go_back_and_servers_share_a_moment() -> None:
    store = Store(servers=2)
    runs = [
        store.start_run("S", b"{}", 300, moment, server=server)
        for moment in (5.0, 5.0, 4.0)
        for server in (0, 1)
    ]
    for run in runs:
        store.add_tasks(run, 300, run.created, run.stamp.server)
    ids = {store.run_id(run) for run in runs}
    ids |= {store.task_id(run, place) for run in runs for place in range(300)}
    found = [store.find_run("S", store.run_id(run)) for run in runs]
    store.close()
    assert len(ids) == 6 * 301
    assert found == runs


def test_more_than_a_thousand_tasks_of_a_run_have_ids_of_the_same_form() -> None:
    store = Store()
    run = store.start_run("S", b"{}", 1500, 1.0)
    store.add_tasks(run, 1500, 1.0)
    listed = store.task_ids_json(run, 1500).decode()
    store.close()
    ids = listed.strip("[]").replace('"', "").split(",")
    assert len(set(ids)) == 1500
    assert {len(task_id) for task_id in ids} == {33}
    assert ids[1499] == store.task_id(run, 1499)
