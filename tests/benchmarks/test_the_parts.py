"""Every part of the benchmark, with a handful of documents and workers that all of them share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.speed.__main__ import PARTS
from benchmarks.speed.contenders import Contender, callspool
from benchmarks.speed.outcome import Options, document, markdown
from benchmarks.speed.parts.lanes import resume
from benchmarks.speed.rig import Rig
from benchmarks.speed.senders import LANES

TOOK_PART = {"batches": "callspool", "single": "callspool, single", "threads": "callspool, threads"}


@pytest.fixture(scope="module")
def working() -> Iterator[Rig]:
    settings = {LANES: "3", "CALLSPOOL_LINGER": "0.05", "CALLSPOOL_PROCESSES": "1"}
    with Rig(callspool("callspool-lanes", **settings)) as rig:
        yield rig


@pytest.fixture
def options(working: Rig) -> Options:
    @contextmanager
    def shared(contender: Contender) -> Iterator[Rig]:
        if not contender.is_ours:
            with Rig(contender) as rig:
                yield rig
            return
        yield working
        if working.summary().gates:
            resume(working)
        working.settle()

    keys = ("callspool", "callspool-single", "callspool-threads", "callspool-tasks", "floor")
    return Options("tiny", 1, {}, keys, shared)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", [part for part in PARTS if part != "instructions"])  # valgrind
def test_each_part_says_what_it_found(part: str, options: Options):
    told: list[str] = []
    outcome = PARTS[part](options, told.append)
    assert outcome.part == part
    assert told, "a part that takes long says how far it is"
    assert len(outcome.rows) > 1
    assert {len(row) for row in outcome.rows} == {len(outcome.rows[0])}
    if part in TOOK_PART:
        assert outcome.rows[1][0] == TOOK_PART[part]
    if part not in {
        "single",
        "threads",
        "steps",
        "outcomes",
    }:  # without targets, or with ratios to others
        assert outcome.findings
    text = markdown(outcome)
    assert all(finding.what in text for finding in outcome.findings)
    report = json.loads(document({"cores": "2"}, "", options, [outcome]))
    assert report["parts"][part]["figures"]
