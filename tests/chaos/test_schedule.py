from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from callspool_sandbox.fault_files import Hang, ServerTraits, parse_faults
from chaos.api_faults import fault_file
from chaos.command import chaos
from chaos.contacts import portions
from chaos.mix import ANSWERS, EVENTS, READS, MixError, default_mix, parse_mix
from chaos.schedule import Plan, Schedule, draw, load_schedule


def plan(seed: int = 7, mix: str = "", seconds: float = 600, documents: int = 2000) -> Plan:
    return Plan(seed=seed, seconds=seconds, documents=documents, mix=parse_mix(mix))


def test_the_same_seed_gives_the_same_schedule_and_the_same_contacts():
    assert draw(plan()) == draw(plan())
    assert portions(plan()) == portions(plan())


def test_another_seed_gives_another_schedule_and_other_contacts():
    assert draw(plan()).events != draw(plan(seed=8)).events
    assert portions(plan()) != portions(plan(seed=8))


def test_without_one_kind_of_fault_the_others_come_as_before():
    whole, rest = draw(plan()), draw(plan(mix="redis_kill=0"))
    assert any(event.kind == "redis_kill" for event in whole.events)
    assert rest.events == [event for event in whole.events if event.kind != "redis_kill"]


def test_every_fault_of_the_default_mix_happens_within_ten_minutes_and_ends_within_them():
    events = draw(plan()).events
    assert {event.kind for event in events} == {k for k, rate in default_mix().items() if rate} & {
        *EVENTS
    }
    assert events == sorted(events, key=lambda event: (event.at, event.kind))
    assert all(0 <= event.at <= 600 - event.seconds + 0.001 for event in events)


def test_faults_that_would_outlast_a_short_run_do_not_happen():
    assert draw(plan(mix="none,stop_child_past_lease=600", seconds=5)).events == []


def test_a_schedule_can_be_saved_edited_and_replayed(tmp_path: Path):
    file = tmp_path / "schedule.json"
    schedule = draw(plan())
    schedule.save(file)
    assert load_schedule(file) == schedule
    edited = json.loads(file.read_text())
    del edited["events"][1:]
    file.write_text(json.dumps(edited))
    assert load_schedule(file) == Schedule(schedule.plan, schedule.events[:1])


def test_a_schedule_with_a_fault_that_does_not_exist_is_refused(tmp_path: Path):
    file = tmp_path / "schedule.json"
    draw(plan()).save(file)
    file.write_text(file.read_text().replace('"kind": "redis_kill"', '"kind": "moon"'))
    with pytest.raises(msgspec.ValidationError, match="moon"):
        load_schedule(file)


def test_a_mix_changes_families_and_kinds():
    mix = parse_mix("redis=0,kill_child=30,workers=2,answers=0.5")
    assert mix["redis_kill"] == mix["redis_stall"] == 0
    assert mix["kill_child"] == 60
    assert mix["429"] == 0.5
    assert parse_mix("none,cut=3") == dict.fromkeys(mix, 0.0) | {"cut": 3.0}
    assert parse_mix("") == default_mix()


@pytest.mark.parametrize("text", ["moon=1", "redis", "redis=-1", "redis=nan", "kill_child=many"])
def test_a_mix_that_says_nothing_sensible_is_refused(text: str):
    with pytest.raises(MixError):
        parse_mix(text)


def test_contacts_are_as_many_as_asked_for_with_doubles_two_campaigns_and_bad_ones():
    found = portions(plan(documents=30_000))
    keys = Counter(key for portion in found for key in portion.members())
    assert len(keys) == 30_000
    assert max(keys.values()) > 1
    assert len({key.document_id for key in keys}) < 30_000
    assert {key for portion in found for key in portion.bad_keys()} < keys.keys()
    assert all(0 <= portion.at <= 600 for portion in found)
    assert len({(portion.scope, portion.pilot, portion.context) for portion in found}) == 24


def test_the_fault_file_is_one_that_the_sandbox_takes():
    unread = msgspec.structs.replace(plan(3, "outage=4", 60), reading_back=False)
    file = parse_faults(json.dumps(fault_file(unread, 60.0)).encode(), json=True)
    outages = [fault for fault in file.faults if isinstance(fault, Hang) and fault.until]
    others = [fault for fault in file.faults[1:] if fault not in outages]
    assert (file.faults[0].on, file.faults[0].between) == ("reads", None)
    assert len(others) == len(ANSWERS) + len(READS)
    assert all(fault.between == (0, 60.0) for fault in others)
    assert {fault.on for fault in outages} == {"create", "reads"}


def test_what_lasts_is_over_when_the_faults_are():
    written = json.dumps(fault_file(plan(5, "", 60), 60.0)).encode()
    states = parse_faults(written, json=True).states()
    orders = {(state.order, state.counts) for _, state in states}
    assert len(orders) > 4
    assert states[-1][0] == 60.0
    assert (states[-1][1].order, states[-1][1].counts) == ("newest", True)
    assert states[-1][1].skews == [-60.0, 60.0]


def test_without_standing_faults_the_api_is_as_it_should_be():
    written = json.dumps(fault_file(plan(5, "standing=0", 60), 60.0)).encode()
    file = parse_faults(written, json=True)
    assert (file.server, file.changes) == (ServerTraits(), [])
    assert len(file.faults) == len(ANSWERS) + len(READS)


def test_the_command_line_writes_the_schedule_and_refuses_wrong_use(tmp_path: Path):
    runner, out = CliRunner(), ["--out", str(tmp_path / "out")]
    assert runner.invoke(chaos, ["--dry-run", "--seed", "3", *out]).exit_code == 0
    saved = load_schedule(tmp_path / "out" / "schedule.json")
    assert saved == draw(Plan(seed=3, seconds=60, documents=20_000, mix=default_mix()))
    refused = runner.invoke(chaos, ["--mix", "moon=1", *out])
    assert refused.exit_code == 2
    assert "there is no kind of fault called 'moon'" in refused.output
