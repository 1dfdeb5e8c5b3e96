"""The store stays small, and its ids repeat only where a seed says so."""

from __future__ import annotations

import tracemalloc

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
        made = store.run_id(run), store.task_ids_json(run, 2)
        store.close()
        return made

    assert ids(5) == ids(5)
    assert len({ids(5), ids(6), ids(None), ids(None)}) == 4


def test_more_than_a_thousand_tasks_of_a_run_have_ids_of_the_same_form() -> None:
    store = Store()
    run = store.start_run("S", b"{}", 1500, 1.0)
    listed = store.task_ids_json(run, 1500).decode()
    store.close()
    ids = listed.strip("[]").replace('"', "").split(",")
    assert len(set(ids)) == 1500
    assert {len(task_id) for task_id in ids} == {33}
    assert ids[1499] == store.task_id(run, 1499)
