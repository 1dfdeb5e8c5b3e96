from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from callspool.errors import CallspoolError
from callspool.hours.record import CampaignError, CampaignRecord, read_hours
from callspool.hours.zones import Interval
from callspool_ledger.reads.campaigns import Bar, CampaignName
from callspool_ledger.reads.gates import read_journal
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Campaigns, Steering
from callspool_ledger.writes import Taken
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group

BERLIN, TOKYO = "Europe/Berlin|*", "Asia/Tokyo|*"
HOUR = 3_600_000
NAME = CampaignName("default", "")


class Hours:
    """A ledger whose campaign may be given hours."""

    def __init__(self, client: redis.Redis) -> None:
        self.under = LedgerUnderTest(client, batch_size=4, linger_ms=0)
        self.steer = Campaigns([client], "ann@desk")

    def set(self, **fields: Any) -> CampaignRecord:
        return self.steer.set(*NAME, lambda record: record.change(**fields))

    def accept(self, ids: Sequence[str], zones: str = "", **more: Any) -> None:
        given = group(ids, **more)
        lane = f"{given.lane_id}-{zones[:4].lower()}" if zones else given.lane_id
        self.under.accept(
            type(given)(
                **{
                    **{f: getattr(given, f) for f in given.__slots__},
                    "lane_id": lane,
                    "zones": zones,
                }
            )
        )

    def take(self) -> Taken | None:
        self.make_due()
        taken = self.under.ledger.take("me", ["default"])
        if taken:
            ids = [f"T{taken.attempt}-{n}" for n in range(taken.count)]
            self.under.ledger.run([calls.record_created(taken, f"R{taken.attempt}", ids, "200")])
        return taken

    def take_all(self) -> int:
        documents = 0
        while taken := self.take():
            documents += taken.count
        return documents

    def make_due(self) -> None:
        """Sweeps what is due now."""
        self.under.ledger.run([calls.sweep(self.under.ledger.limits, ["default"])])

    def store(self, zones: str, *intervals: tuple[float, float], older: int = 0) -> int:
        """Stores when a class is open, in hours from now."""
        now = time.time() * 1000
        found = [Interval(int(now + a * HOUR), int(now + b * HOUR)) for a, b in intervals]
        revision = self.steer.read().campaigns[NAME].revision - older
        name = f"{NAME.key}\x1f{zones}"
        (stored,) = self.under.ledger.run([calls.store_hours([(name, revision, found)])])
        return int(stored)

    def sort(self, *classes: tuple[str, Sequence[int]]) -> int:
        """Sorts the first batch of the lane without a class."""
        lane = group(["any"]).lane_id
        batch = int(self.under.client.lindex(f"{P}:q{lane}", 0))
        named = [(zones, f"{lane}-{zones[:4].lower()}", places) for zones, places in classes]
        sort = calls.sort(self.under.ledger.limits, lane, batch, named)
        (moved,) = self.under.ledger.run([sort])
        return int(moved)

    def bar(self, zones: str) -> str:
        found = self.steer.read().find_bar(NAME, zones)
        return found.kind if found else ""


@pytest.fixture
def hours(client: redis.Redis) -> Hours:
    return Hours(client)


ALL_DAY = {"hours": read_hours("09:00-20:00")}


def test_a_lane_is_closed_until_it_is_known_when_it_is_open(hours: Hours):
    hours.set(**ALL_DAY)
    hours.accept(["a", "b"], BERLIN)
    hours.accept(["c"], TOKYO)

    assert hours.take() is None
    assert hours.bar(BERLIN) == "computing"

    hours.store(BERLIN, (-1, 1))
    hours.store(TOKYO, (1, 9))
    assert hours.take_all() == 2
    assert hours.bar(BERLIN) == ""
    assert hours.under.state("c") == "w"
    hours.under.check()


@pytest.mark.parametrize("intervals", [[(-9, -1)], [(1, 9)], [(-9, -1), (1, 9)], []])
def test_nothing_is_taken_outside_the_stored_intervals(
    hours: Hours, intervals: list[tuple[float, float]]
):
    hours.set(**ALL_DAY)
    hours.accept(["a"], BERLIN)
    hours.store(BERLIN, *intervals)

    assert hours.take() is None
    assert hours.take() is None


def test_where_the_platforms_hours_close_a_lane_the_reason_names_them(hours: Hours):
    hours.set(hours=read_hours("00:00-24:00"))
    for theirs, word in (("Asia/Tokyo", "Asia/Tokyo"), ("*", "the contact's own zone"), ("", "")):
        zones = f"{BERLIN.partition('|')[0]}|{theirs}"
        hours.store(zones, (1, 9))
        bar = hours.steer.read().find_bar(NAME, zones)
        assert bar is not None
        assert bar.platform == theirs
        assert ("; the platform's hours begin then, at " in bar.reason) == bool(theirs)
        assert bar.reason.endswith(f" in {word})" if word else "(Europe/Berlin)")
        assert ("CALLSPOOL_PLATFORM_HOURS" in bar.next_step) == bool(theirs)
    hours.store(zones := "Europe/Berlin|Asia/Tokyo")
    closed = hours.steer.read().find_bar(NAME, zones)
    assert closed is not None
    assert closed.reason.endswith("; closed by the platform's hours in Asia/Tokyo)")


def test_what_was_computed_for_an_earlier_record_opens_nothing(hours: Hours):
    hours.set(**ALL_DAY)
    hours.accept(["a"], BERLIN)
    hours.store(BERLIN, (-1, 1))
    hours.set(hours=read_hours("10:00-11:00"))

    assert hours.take() is None
    assert hours.store(BERLIN, (-1, 1), older=1) == 0
    assert hours.take() is None
    assert hours.store(BERLIN, (-1, 1)) == 1
    assert hours.take_all() == 1


def test_an_interval_that_begins_opens_the_lane_by_itself(hours: Hours):
    hours.set(**ALL_DAY)
    hours.accept(["a"], BERLIN)
    hours.store(BERLIN, (0.3 / 3600, 1))
    assert hours.take() is None

    deadline = time.monotonic() + 20
    while not hours.take() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert hours.under.state("a") == "c"


def test_a_campaign_without_a_record_is_not_kept_from_anything(hours: Hours):
    hours.steer.set("default", "other", lambda record: record.change(**ALL_DAY))
    hours.accept(["a", "b"])

    assert hours.take_all() == 2


def test_documents_that_waited_before_hours_were_set_obey_them_too(hours: Hours):
    hours.accept(["a", "b", "c", "d"])
    hours.accept(["e", "f", "g"])
    hours.set(**ALL_DAY)

    assert hours.take() is None
    assert hours.bar("") == "sorting"
    assert hours.sort((BERLIN, [0, 2]), (TOKYO, [1, 3])) == 4
    assert hours.sort((BERLIN, [0, 1]), (TOKYO, [2])) == 3
    assert hours.take() is None

    hours.store(BERLIN, (-1, 1))
    assert hours.take_all() == 4
    assert [hours.under.state(each) for each in "abcdefg"] == [*"cwcwccw"]
    hours.under.check()

    hours.set(hours=())
    assert hours.take_all() == 3
    hours.under.check()


def test_sorted_documents_keep_their_identity_and_their_age(client: redis.Redis):
    hours = Hours(client)
    hours.under = LedgerUnderTest(client, batch_size=4, linger_ms=60_000)
    hours.accept(["a", "b", "c", "d"], expires_ms=9_000_000_000_000)
    before = int(client.hget(f"{P}:b1", "o"))
    hours.accept(["e", "f", "g", "h"])
    time.sleep(0.02)
    hours.set(**ALL_DAY)
    assert hours.take() is None
    hours.accept(["n"], BERLIN)
    hours.sort((BERLIN, [0, 1, 2, 3]))
    hours.sort((BERLIN, [0, 1, 2]), (TOKYO, [3]))
    hours.accept([*"abcdefgh"], BERLIN)

    counts = hours.under.counts()
    assert (counts["accepted"], counts["duplicate"], counts["waiting"]) == (9, 8, 9)
    # Full batches, though what came later opened the first one.
    sizes = [int(client.hget(key, "n")) for key in sorted(client.scan_iter(f"{P}:b*"))]
    assert sorted(sizes[-3:]) == [1, 4, 4] or sorted(sizes)[-4:] == [4, 4, 4, 4]
    hours.store(BERLIN, (-1, 1))
    taken = hours.take()
    assert taken is not None
    assert taken.count == 4
    assert int(client.hget(f"{P}:b{taken.batch}", "o")) == before
    hours.under.check()


def test_documents_that_were_tried_keep_their_history_when_they_are_sorted(hours: Hours):
    hours.accept(["a", "b"])
    taken = hours.under.ledger.take("me", ["default"])
    assert taken is not None
    put_back = calls.put_back(
        taken, delay_ms=0, outcome="rejected", code="206", detail="no", tries=1
    )
    hours.under.ledger.run([put_back])
    hours.set(**ALL_DAY)
    assert hours.take() is None
    assert hours.sort((BERLIN, [0]), (TOKYO, [1])) == 2
    hours.store(BERLIN, (-1, 1))

    again = hours.take()
    assert again is not None
    assert again.tries == 1
    assert hours.under.state("a") == "c"
    assert hours.under.state("b") == "w"
    hours.under.check()


def test_a_paused_lane_is_not_sorted_into_others(hours: Hours):
    hours.accept(["a"])
    hours.set(**ALL_DAY)
    assert hours.take() is None
    lane = group(["a"]).lane_id
    Steering([hours.under.client], "ann").pause(Selector(lane=lane))

    assert hours.sort((BERLIN, [0])) == 0
    hours.accept(["b"], BERLIN)
    hours.store(BERLIN, (-1, 1))
    assert hours.take() is None  # of the same whole lane


def test_a_campaign_does_not_start_before_its_time(hours: Hours):
    hours.accept(["a"])
    hours.set(starts=int(time.time() * 1000) + HOUR)
    assert hours.take() is None
    assert hours.bar("") == "starts"

    hours.set(starts=None)
    assert hours.take_all() == 1


def test_what_waits_when_a_campaign_ends_expires_also_behind_its_hours(hours: Hours):
    hours.accept(["a"], BERLIN)
    hours.accept(["b"])
    now = int(time.time() * 1000)
    hours.set(**ALL_DAY, ends=now + 200)
    hours.store(BERLIN, (1, 2))
    assert hours.take() is None

    deadline = time.monotonic() + 20
    while hours.under.counts()["waiting"] and time.monotonic() < deadline:
        time.sleep(0.05)
        assert hours.take() is None
    assert hours.under.counts()["expired"] == 2
    assert hours.under.client.hget(f"{P}:b1", "ended") == str(now + 200).encode()
    hours.under.check()


def test_a_pace_lets_a_batch_go_and_then_rests(hours: Hours):
    hours.accept([*"abcd"])
    hours.accept([*"efgh"])
    hours.set(pace=4 * 60 / 0.4)  # four documents in 0.4 s
    began = time.monotonic()

    assert hours.take() is not None
    assert hours.take() is None
    assert hours.bar("") == "pace"
    deadline = time.monotonic() + 20
    while not hours.take() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert time.monotonic() - began >= 0.4


def test_a_change_that_cannot_be_leaves_all_as_it_was(hours: Hours):
    hours.set(**ALL_DAY)
    before = hours.steer.read().campaigns[NAME]

    with pytest.raises(CampaignError):
        hours.set(starts=2, ends=1)
    assert issubclass(CampaignError, CallspoolError)
    assert hours.steer.read().campaigns[NAME] == before


def test_a_record_of_which_nothing_is_left_is_gone(hours: Hours):
    hours.accept(["a"], BERLIN)
    hours.set(**ALL_DAY)
    assert hours.take() is None
    hours.set(hours=())

    assert hours.steer.read().campaigns == {}
    assert not hours.under.client.exists(f"{P}:campaigns", f"{P}:hours", f"{P}:paced")
    assert hours.take_all() == 1
    assert not [*hours.under.client.scan_iter(f"{P}:parked:*")]


def test_what_a_campaign_was_told_is_in_the_journal(hours: Hours):
    hours.steer.set(*NAME, lambda record: record.change(**ALL_DAY), "hours 09:00-20:00")

    (entry,) = hours.steer.reader.ask(read_journal(1))
    assert (entry.command, entry.by, entry.note) == ("set", "ann@desk", "hours 09:00-20:00")
    assert entry.selector.campaign == LANE.campaign


def test_several_partitions_keep_one_record(client: redis.Redis):
    steer = Campaigns([client, client], "ann")
    steer.set("default", "spring", lambda record: record.change(pace=60.0))
    steer.set("default", "spring", lambda record: record.change(zone="hold"))

    for partition in (0, 1):
        assert client.hlen(f"callspool:{{{partition}}}:campaigns") == 1
    view = steer.read().campaigns[CampaignName("default", "spring")]
    assert (view.record.pace, view.record.zone) == (60.0, "hold")


@pytest.mark.parametrize("record", ["not JSON", "[]", '{"timed":true,"hours":"always"}'])
def test_a_record_that_cannot_be_read_opens_nothing_and_holds_up_nobody_else(
    hours: Hours, record: str
):
    hours.accept(["a"], BERLIN)
    hours.under.client.hset(f"{P}:campaigns", NAME.key, f"7 {record}")
    spring = LANE._replace(campaign="spring")
    hours.accept(["b"], lane=spring)

    assert hours.take_all() == 1
    assert hours.under.state("a") == "w"
    assert hours.steer.read().campaigns == {}


def test_a_zone_of_the_campaign_is_named_where_the_contacts_is_not_known() -> None:
    opens = datetime(2026, 12, 1, 14, tzinfo=UTC)
    used = "(zone unknown, so America/New_York is used)"
    later = Bar("hours", opens, "?|", zone="America/New_York")
    assert later.reason.startswith("calling hours: opens 2026-12-0")
    assert later.reason.endswith(used)
    closed = Bar("hours", None, "?|", zone="America/New_York")
    assert closed.reason == f"calling hours: closed for the next 72 hours {used}"
    assert "It is held" not in closed.next_step
    assert Bar("hours", None, "?|").reason.endswith("its zone is not known, so it is held")
