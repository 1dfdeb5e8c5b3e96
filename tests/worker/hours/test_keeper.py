"""Workers compute when classes of zones are open, and sort what waited before."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NoReturn, cast

import msgspec
import pytest
import redis

from callspool.hours.numbers import Classifier
from callspool.hours.record import PlatformHours
from callspool.hours.zones import OWN, DailyHours, zone_named
from callspool.request.checks import Rules
from callspool.request.message import decode
from callspool_ledger.reads.campaigns import CampaignName, read_campaigns
from callspool_ledger.reads.held import read_held
from callspool_ledger.steering import Campaigns
from callspool_ledger.writes import Ledger, LedgerUnavailable
from callspool_worker.accepting.message_reader import Reader
from callspool_worker.hours.keeper import SHARE_EVERY, HoursKeeper
from tests.support.ledgers import LedgerUnderTest, P, calls, group

SAMPLES = Path(__file__).parents[2] / "producers" / "hours" / "zone_samples.txt"

BERLIN, LOS_ANGELES, NOWHERE = "+4930123456", "+14155550100", "4155550100"
NAME = CampaignName("default", "")
NO_PLATFORM = PlatformHours((), {})


@pytest.fixture
def under(client: redis.Redis) -> LedgerUnderTest:
    return LedgerUnderTest(client, batch_size=10, linger_ms=0)


def accept(under: LedgerUnderTest, numbers: dict[str, str]) -> None:
    documents = [
        json.dumps({"document_id": each, "contact_number": number}).encode()
        for each, number in numbers.items()
    ]
    under.accept(replace(group([*numbers]), documents=documents))


def set_hours_of_now_in(zone: str, client: redis.Redis) -> None:
    """Gives the campaign two hours before and after what a clock of that zone shows."""
    shown = datetime.now(UTC).astimezone(zone_named(zone))
    hours = tuple((shown + timedelta(hours=by)).hour * 60 for by in (-2, 2))
    Campaigns([client], "ann").set(*NAME, lambda record: record.change(hours=(hours,)))


def take_all(under: LedgerUnderTest) -> int:
    taken, documents = None, 0
    while True:
        under.ledger.run([calls.sweep(under.ledger.limits, ["default"])])
        taken = under.ledger.take(f"me:{documents}", ["default"])
        if taken is None:
            return documents
        documents += taken.count


def test_what_waited_before_is_sorted_and_called_in_the_hours_of_its_zone(
    under: LedgerUnderTest, client: redis.Redis
) -> None:
    accept(under, {"a": BERLIN, "b": LOS_ANGELES, "c": BERLIN, "d": NOWHERE})
    set_hours_of_now_in("Europe/Berlin", client)
    keeper = HoursKeeper([under.ledger], NO_PLATFORM, 0)
    assert take_all(under) == 0

    keeper.look()  # sorts
    keeper.look()  # computes for the classes that were found

    assert take_all(under) == 2
    assert [under.state(each) for each in "abcd"] == ["s", "w", "s", "w"]
    held = {each.bar.zones: each.documents for each in under.ledger.read(read_held())}
    assert held == {"America/Los_Angeles|": 1, "?|": 1}
    under.check()


class AwayLedger:
    """A partition whose node answers nothing, and counts how often it was asked."""

    asked = 0

    def read(self, _reading: object) -> NoReturn:
        self.asked += 1
        raise LedgerUnavailable("Redis does not answer")


def test_a_partition_that_is_away_holds_up_no_other(
    under: LedgerUnderTest, client: redis.Redis
) -> None:
    accept(under, {"a": BERLIN})
    set_hours_of_now_in("Europe/Berlin", client)
    assert take_all(under) == 0
    away = AwayLedger()
    keeper = HoursKeeper([cast("Ledger", away), under.ledger], NO_PLATFORM, 0)
    keeper.look()
    keeper.look()
    assert keeper.classifier_of(*NAME) is not None
    assert take_all(under) == 1
    assert away.asked == 1, "it is left alone for a while"


def test_what_a_partition_said_last_holds_while_it_is_away(
    under: LedgerUnderTest, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(under, {"a": BERLIN})
    set_hours_of_now_in("Europe/Berlin", client)
    Campaigns([client], "ann").set(*NAME, lambda record: record.change(pace=60))
    other = LedgerUnderTest(client, batch_size=10, linger_ms=0).ledger
    keeper = HoursKeeper([under.ledger, other], NO_PLATFORM, 0)
    keeper.look()
    parts = f"{NAME.key}\x1fparts"
    assert client.hget(f"{P}:paced", parts) == b"2"
    client.hdel(f"{P}:paced", parts)
    away = AwayLedger()
    monkeypatch.setattr(other, "read", away.read)
    for _ in range(SHARE_EVERY):
        keeper.look()
    assert away.asked == 1
    assert keeper.classifier_of(*NAME) is not None
    assert client.hget(f"{P}:paced", parts) == b"2"


def test_a_campaign_without_hours_has_no_classes(
    under: LedgerUnderTest, client: redis.Redis
) -> None:
    keeper = HoursKeeper([under.ledger], NO_PLATFORM, 0)
    keeper.look()
    assert keeper.classifier_of(*NAME) is None
    set_hours_of_now_in("Europe/Berlin", client)
    keeper.look()
    classifier = keeper.classifier_of(*NAME)
    assert classifier is not None
    assert classifier.classify(BERLIN) == "Europe/Berlin|"


def test_a_table_is_computed_anew_for_each_change(
    under: LedgerUnderTest, client: redis.Redis
) -> None:
    accept(under, {"a": BERLIN})
    set_hours_of_now_in("Europe/Berlin", client)
    keeper = HoursKeeper([under.ledger], NO_PLATFORM, 0)
    assert take_all(under) == 0
    keeper.look()
    keeper.look()
    set_hours_of_now_in("America/Los_Angeles", client)
    assert take_all(under) == 0
    keeper.look()
    assert take_all(under) == 0
    tables = under.ledger.read(read_campaigns())
    (opening,) = tables.openings.values()
    assert opening.revision == tables.campaigns[NAME].revision


def test_a_worker_with_other_hours_of_the_platform_computes_all_tables_anew(
    under: LedgerUnderTest, client: redis.Redis
) -> None:
    accept(under, {"a": BERLIN})
    set_hours_of_now_in("Europe/Berlin", client)
    never = PlatformHours((DailyHours(0, 1),), {})
    keeper = HoursKeeper([under.ledger], NO_PLATFORM, 0)
    for _ in range(3):
        keeper.look()
        take_all(under)
    (before,) = under.ledger.read(read_campaigns()).openings.values()
    for platform, is_other in ((NO_PLATFORM, False), (never, True), (never, False)):
        time.sleep(0.002)
        HoursKeeper([under.ledger], platform, 0).look()
        (after,) = under.ledger.read(read_campaigns()).openings.values()
        assert (after.computed_ms > before.computed_ms) == is_other
        before = after


def test_hours_of_the_platform_that_redis_did_not_take_are_computed_at_the_next_look(
    under: LedgerUnderTest, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(under, {"a": BERLIN})
    set_hours_of_now_in("Europe/Berlin", client)
    keeper = HoursKeeper([under.ledger], NO_PLATFORM, 0)
    for _ in range(3):
        keeper.look()
        take_all(under)
    (before,) = under.ledger.read(read_campaigns()).openings.values()
    time.sleep(0.002)

    def be_away(*_: object) -> NoReturn:
        raise LedgerUnavailable("it is away")

    keeper = HoursKeeper([under.ledger], PlatformHours((DailyHours(0, 1),), {}), 0)
    with monkeypatch.context() as patch:
        patch.setattr(under.ledger.calls, "store_hours", be_away)
        keeper.look()
    keeper._partitions[0].ask_at = 0
    keeper.look()
    (after,) = under.ledger.read(read_campaigns()).openings.values()
    assert after.computed_ms > before.computed_ms


def test_a_field_that_is_named_later_counts_for_what_waits_already(
    under: LedgerUnderTest, client: redis.Redis
) -> None:
    document = {"document_id": "a", "contact_number": BERLIN, "zone": "America/Los_Angeles"}
    given = group(["a"])
    under.accept(replace(given, documents=[json.dumps(document).encode()]))
    set_hours_of_now_in("America/Los_Angeles", client)
    keeper = HoursKeeper([under.ledger], NO_PLATFORM, 0)
    for _ in range(2):
        assert take_all(under) == 0
        keeper.look()
    assert take_all(under) == 0  # by its number it is in Berlin
    Campaigns([client], "ann").set(*NAME, lambda record: record.change(zone_field="zone"))
    for _ in range(2):
        assert take_all(under) == 0
        keeper.look()
    assert take_all(under) == 1
    under.check()


def test_numbers_of_the_whole_world_make_few_lanes_and_full_batches(
    under: LedgerUnderTest, client: redis.Redis
) -> None:
    lines = SAMPLES.read_text(encoding="utf-8").splitlines()
    known = [number for line in lines for number in line.split()[1:]]
    random = Random(70)
    numbers = [f"{random.choice(known)[:-2]}{random.randrange(100):02}" for _ in range(7_000)]
    under.ledger.limits = replace(under.ledger.limits, linger_ms=60_000)
    classifier = Classifier({"1": "America/New_York", "61": "Australia/Sydney", "*": OWN})
    reader = Reader(
        Rules(None, True, None), under.ledger.limits, classifier_of=lambda *_: classifier
    )
    for at in range(0, len(numbers), 500):
        documents = [
            {"name": "Ada", "document_id": f"{at + n}", "contact_number": number}
            for n, number in enumerate(numbers[at : at + 500])
        ]
        request = {"space_token": "SPACE", "pilot": "p", "context": "c", "documents": documents}
        fields = {b"v": b"1", b"checked": b"1", b"requests": msgspec.json.encode([request])}
        entry_id = under.deliver([]).entry_id
        under.ledger.accept([reader.read(entry_id, decode(fields))])

    sizes = [int(client.hget(key, "n") or 0) for key in client.scan_iter(f"{P}:b*", count=1000)]
    assert sum(sizes) == 7_000
    assert sum(sizes) / len(sizes) >= 0.9 * 10
    assert client.scard(f"{P}:lanes") <= 64
