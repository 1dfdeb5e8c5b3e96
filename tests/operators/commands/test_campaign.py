"""`callspool campaign`, and what a dry run says of hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from callspool.hours.record import CampaignRecord, PlatformHours, read_hours
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.preparing.forecast import HoursForecast, describe_what_does_not_hold
from tests.operators.conftest import Call, Result
from tests.producers.request.requests import prepared

NO_PLATFORM = PlatformHours((), {})
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def forecast(record: CampaignRecord, *numbers: str) -> HoursForecast:
    found = HoursForecast(record, NO_PLATFORM, 0, NOON)
    for number in numbers:
        found.add(f'{{"contact_number":"{number}"}}'.encode())
    return found


def test_a_dry_run_counts_who_may_be_called_now_later_and_who_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = CampaignRecord().change(hours=read_hours("09:00-20:00"))
    numbers = ["+4930123456", "+442079460018", "+14155550100", "+14155550101", "+85221234567"]

    found = forecast(record, *numbers, "4155550102")

    numbers_now = {"now": 2, "later": 3, "closed": 0, "unknown": 1, "suppressed": 0}
    assert found.to_json() == numbers_now
    (line,) = found.lines()
    assert line.startswith("Calling hours: of 6: 2 now, 3 from ")
    assert line.endswith(" in 2 zones, 1 zone unknown (held)")
    found.suppress(b'{"contact_number":"+85221234567"}')
    assert found.to_json() == numbers_now | {"later": 2, "suppressed": 1}
    (line,) = found.lines()
    assert line.startswith("Calling hours: of 6: 2 now, 2 from ")
    assert line.endswith(" in 1 zone, 1 zone unknown (held), 1 suppressed")


def test_a_zone_of_the_campaign_is_named_for_unknown_ones() -> None:
    record = CampaignRecord().change(hours=read_hours("09:00-20:00"), zone="Europe/Berlin")

    assert forecast(record, "4155550102").lines() == [
        "Calling hours: of 1: 1 zone unknown (by the campaign's zone)"
    ]


def test_a_dry_run_names_those_who_wait_for_the_platforms_hours() -> None:
    record = CampaignRecord().change(hours=read_hours("00:00-24:00"))
    platform = PlatformHours.read("09:00-20:00", "49=Europe/Berlin, 852=Asia/Tokyo, *=own")
    found = HoursForecast(record, platform, 0, NOON)
    for number in ("+4930123456", "+85221234567", "+14155550100"):
        found.add(f'{{"contact_number":"{number}"}}'.encode())

    assert found.lines()[1] == (
        "  2 of them wait for the platform's hours"
        " (09:00-20:00 in the contact's own zone and Asia/Tokyo)"
    )


def test_nothing_is_now_before_a_campaign_starts() -> None:
    starts = int((NOON + timedelta(hours=1)).timestamp() * 1000)
    found = forecast(CampaignRecord().change(starts=starts), "+4930123456")

    assert found.to_json()["later"] == 1
    assert "the campaign starts" in found.lines()[1]


def test_what_is_set_is_shown_listed_journalled_and_taken_back(call: Call, redis_url: str) -> None:
    def say(*words: str) -> Result:
        return call("campaign", *words, CALLSPOOL_REDIS_URL=redis_url, CALLSPOOL_OPERATOR="ann")

    given = ["--hours", "09:00-20:00", "--days", "mon-fri", "--pace", "600/min", "--zone", "hold"]
    assert say("set", "spring", *given).code == 0
    assert say("set", "spring", "--zone-field", "timezone").code == 0
    shown = say("show", "spring", "--json").json
    assert (shown["hours"], shown["pace_per_minute"]) == (["09:00-20:00"], 600.0)
    assert (shown["zone"], shown["zone_field"]) == ("hold", "timezone")
    assert "campaign spring of account default: hours 09:00-20:00" in say("list").out
    assert say("unset", "spring", "--pace", "--json").json["pace_per_minute"] is None
    assert "nothing is set" in say("unset", "spring").out
    journal = call("journal", CALLSPOOL_REDIS_URL=redis_url).out
    assert "(hours 09:00-20:00, days mon-fri, pace 600/min, zone hold)" in journal
    assert "(without pace)" in journal


@pytest.mark.parametrize(
    "wrong",
    [
        ["--hours", "9-20"],
        ["--hours", "09:00-20:00", "--zone", "Berlin"],
        ["--pace", "600/min", "--starts", "soon"],
        ["--starts", "2026-12-02T00:00Z", "--ends", "2026-12-01T00:00Z"],
        ["--hours", "09:00-20:00", "--cap", "3/7w"],
        ["--cap", "3/7d", "--hours", "9-20"],
        ["--cap", "3/7d", "--cap-scope", "everybody"],
        ["--cap", "3/7d", "--lists", "NO LIST"],
        ["--cap-scope", "account"],
        ["--hours", "09:00-20:00", "--holidays", "XX"],
        [],
    ],
)
def test_a_wrong_value_is_one_line_and_changes_nothing(
    call: Call, redis_url: str, wrong: list[str]
) -> None:
    result = call("campaign", "set", "spring", *wrong, CALLSPOOL_REDIS_URL=redis_url)

    assert result.code == 2
    assert result.err.count("\n") == 1
    assert call("campaign", "list", "--json", CALLSPOOL_REDIS_URL=redis_url).json == {
        "campaigns": [],
        "caps": [],
    }


def test_names_that_differ_little_and_an_end_that_is_past_are_warned_of(
    call: Call, redis_url: str
) -> None:
    def say(*words: str) -> Result:
        return call("campaign", *words, CALLSPOOL_REDIS_URL=redis_url)

    say("set", "spring sale", "--cap", "1/1h")
    done = say("set", "Spring_Sale", "--pace", "600/min")
    assert "warning: campaign 'spring sale' is another one: 'Spring_Sale' does not" in done.err
    assert say("set", "summer", "--pace", "600/min").err == ""
    assert "that end is past" in say("set", "summer", "--ends", "2020-01-01T00:00Z").err
    assert "no hours are set; calls may" in say("show", "spring sale").out


def test_hours_outside_the_platforms_are_warned_of(call: Call, redis_url: str) -> None:
    night = call("campaign", "set", "third", "--hours", "03:00-04:00", "--redis", redis_url)
    assert night.code == 0
    assert "warning: outside the platform's 09:00-20:00" in night.err
    assert "CALLSPOOL_PLATFORM_HOURS" in night.err
    day = call("campaign", "set", "third", "--hours", "19:00-23:00", "--redis", redis_url)
    assert "warning" not in day.err


def test_caps_are_shown_with_those_of_account_and_installation(call: Call, redis_url: str) -> None:
    def say(*words: str) -> Result:
        return call("campaign", *words, CALLSPOOL_REDIS_URL=redis_url)

    assert say("set", "--cap", "5/30d", "--cap-scope", "installation").code == 0
    assert say("set", "spring", "--cap", "1/24h", "--cap", "3/7d").code == 0
    shown = say("show", "spring").out
    assert "the whole installation: at most 5 calls in 30 days to a number" in shown
    assert "at most 1 call in 1 day and at most 3 calls in 7 days to a number" in shown
    caps = say("show", "spring", "--json").json["caps"]
    assert [(each["scope"], each["caps"]) for each in caps] == [
        ("installation", ["5/30d"]),
        ("campaign", ["1/24h", "3/7d"]),
    ]
    assert say("unset", "--cap", "--cap-scope", "installation").code == 0
    assert say("unset", "spring").code == 0
    assert say("list", "--json").json == {"campaigns": [], "caps": []}
    assert "without cap" in call("journal", CALLSPOOL_REDIS_URL=redis_url).out
    assert say("set", "--cap", "5/30d").err.startswith("callspool: name the campaign")


def test_a_rehearsal_says_what_is_set_for_another_account(
    call: Call, client: redis.Redis, redis_url: str, example: Path
) -> None:
    where = ("--redis", redis_url)
    for flags in (["--hours", "09:00-20:00"], ["--cap", "3/7d"]):
        assert call("campaign", "set", "spring", *flags, *where).code == 0
    call("campaign", "set", "--cap", "5/30d", "--cap-scope", "account", *where)
    call("campaign", "set", "--cap", "9/30d", "--cap-scope", "installation", *where)
    rehearsal = ("run", example, "--sandbox", "--dry-run", "--campaign", "spring", *where)

    found = call(*rehearsal).err

    end = " not hold for the account sandbox of this rehearsal: callspool campaign set "
    assert [line.rpartition(end)[2] for line in found.splitlines() if end in line] == [
        f"spring --account sandbox … {' '.join(where)} sets it there",
        f"spring --cap 3/7d --account sandbox {' '.join(where)} sets it there",
        f"--cap-scope account --cap 5/30d --account sandbox {' '.join(where)} sets it there",
    ]
    commands = [line.partition("callspool ")[2].split()[:-3] for line in found.splitlines()]
    commands[0][commands[0].index("…")] = "--pace=60/min"
    for command in commands:
        assert call(*command).code == 0, command
    envelope = prepared(account="sandbox", campaign="spring").envelope
    assert describe_what_does_not_hold(LedgerReader(client), envelope, "") == []
    other = prepared(account="elsewhere", campaign="autumn").envelope
    assert len(describe_what_does_not_hold(LedgerReader(client), other, "")) == 1
