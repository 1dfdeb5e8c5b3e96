"""The conditions of a fault: counts, times, chance, load."""

from __future__ import annotations

from callspool_sandbox.fault_files import parse_faults
from callspool_sandbox.fault_plan import Chooser, Facts
from callspool_sandbox.protocol import Endpoint


def chooser(*faults: str, seed: int = 1) -> Chooser:
    text = "".join(f"[[faults]]\n{fault}\n" for fault in faults)
    return Chooser(parse_faults(text.encode()).faults, seed)


def fired(faults: Chooser, facts: list[Facts], times: list[float] | None = None) -> list[int]:
    """The places of the requests that met a fault."""
    met = []
    for place, fact in enumerate(facts):
        now = times[place] if times else 0.0
        if faults.after_body(fact, now) is not None:
            met.append(place)
    return met


def create(*identities: str, space: str = "S", pilot: str = "p", size: int = 100) -> Facts:
    return Facts("create", space, pilot, identities, size)


ERROR = 'name = "status"\nstatus = 500\n'


def test_nothing_given_means_every_create_request() -> None:
    facts = [create(), Facts("runs", "S"), create()]
    assert fired(chooser(ERROR), facts) == [0, 2]


def test_nth_counts_only_requests_that_the_fault_is_about() -> None:
    facts = [create(space="T"), create(), create(space="T"), create(), create()]
    assert fired(chooser(ERROR + 'space = "S"\nnth = 2'), facts) == [3]


def test_nth_goes_on_counting_while_another_fault_wins() -> None:
    both = chooser(ERROR + "nth = [1, 2]", 'name = "cut"\nnth = [2, 3]')
    chosen = [both.after_body(create(), 0.0) for _ in range(4)]
    assert [type(fault).__name__ for fault in chosen] == ["Status", "Status", "Cut", "NoneType"]


def test_times_is_an_upper_limit() -> None:
    assert fired(chooser(ERROR + "times = 2"), [create()] * 5) == [0, 1]


def test_between_is_in_seconds_since_the_start() -> None:
    faults = chooser(ERROR + "between = [1.0, 2.0]")
    assert fired(faults, [create()] * 4, [0.9, 1.0, 1.9, 2.0]) == [1, 2]


def test_probability_is_the_same_again_for_the_same_seed() -> None:
    facts = [create()] * 2000
    first, again, other = (
        fired(chooser(ERROR + "probability = 0.1", seed=seed), facts) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert 140 < len(first) < 260


def test_a_fault_s_chance_does_not_depend_on_the_other_faults() -> None:
    facts = [create(space="S")] * 500
    alone = chooser('name = "cut"\nspace = "T"', ERROR + "probability = 0.2")
    beside = chooser('name = "hang"\nspace = "T"\nprobability = 0.5', ERROR + "probability = 0.2")
    assert fired(alone, facts) == fired(beside, facts)


def test_documents_pilots_and_sizes_can_be_named() -> None:
    assert fired(chooser(ERROR + 'document_id = "b"'), [create("a"), create("a", "b")]) == [1]
    assert fired(chooser(ERROR + 'pilot = "q"'), [create(), create(pilot="q")]) == [1]
    assert fired(chooser(ERROR + "documents_over = 1"), [create("a"), create("a", "b")]) == [1]
    assert fired(chooser(ERROR + "body_over = 99"), [create(size=99), create(size=100)]) == [1]


def test_reads_and_any_name_several_endpoints() -> None:
    endpoints: list[Endpoint] = ["create", "runs", "tasks", "space_tasks", "agents"]
    facts = [Facts(endpoint, "S") for endpoint in endpoints]
    assert fired(chooser(ERROR + 'on = "reads"'), facts) == [1, 2, 3, 4]
    assert fired(chooser(ERROR + 'on = "any"'), facts) == [0, 1, 2, 3, 4]
    assert fired(chooser(ERROR + 'on = "space_tasks"'), facts) == [3]


def test_a_concurrency_limit_looks_at_the_requests_in_flight() -> None:
    faults = chooser(ERROR + "in_flight_over = 2")
    faults.in_flight["create"] = 2
    assert faults.after_body(create(), 0.0) is None
    faults.in_flight["create"] = 3
    assert faults.after_body(create(), 0.0) is not None


def test_a_rate_limit_slides_over_a_second() -> None:
    faults = chooser(ERROR + "per_second_over = 2")
    assert fired(faults, [create()] * 6, [0.0, 0.5, 0.9, 1.0, 1.1, 1.5]) == [2, 4]


def test_only_a_fault_before_the_body_fires_before_it() -> None:
    faults = chooser('name = "drop"\nwhere = "before_body"', ERROR)
    assert faults.before_body(create(), 0.0) is not None
    assert type(faults.after_body(create(), 0.0)).__name__ == "Status"
