"""Suppressions and campaigns over HTTP: what a key may steer, and what it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callspool_ledger.access import Right
from callspool_ledger.guard import Suppression
from callspool_ledger.reads.gates import read_journal
from callspool_ledger.reads.reader import LedgerReader
from tests.operators.conftest import Call
from tests.operators.serving.conftest import SPACE, Intake

ADA, BOB = "+14155550101", "+14155550102"


@pytest.fixture
def boss(intake: Intake) -> Intake:
    """The server, and a key that is bound to nothing."""
    intake.secret = intake.create_key("boss")
    return intake


def test_a_number_that_was_added_is_on_the_list_and_in_the_journal(boss: Intake):
    added = boss.call(
        "POST", "/v1/suppressions", {"numbers": [ADA, "12", "(415) 555-0109", ADA], "source": "crm"}
    )
    assert added.status == 200, added.body
    found = added.json
    assert (found["list"], found["added"], found["being_sent"]) == ("global", 1, [])
    assert [each["place"] for each in found["refused"]] == [1, 2]
    assert "region" in found["refused"][1]["reason"]
    assert b"555" not in added.body
    again = boss.call("POST", "/v1/suppressions", {"numbers": [ADA]}).json
    assert (again["added"], again["known"]) == (0, 1)
    lists = Suppression([boss.redis], "test")
    (view,) = lists.lists()
    assert (view.name, view.numbers) == ("global", 1)
    assert (view.sources[0].by, view.sources[0].source) == ("key boss", "crm")
    commands = [(each.command, each.by) for each in LedgerReader(boss.redis).ask(read_journal(50))]
    assert ("suppress add", "key boss") in commands


def test_a_region_or_the_callers_word_reads_a_number_without_a_country(boss: Intake):
    for more in ({"region": "us"}, {"numbers_as_they_are": True}):
        answer = boss.call("POST", "/v1/suppressions", {"numbers": ["(415) 555-0109"], **more})
        assert answer.json["refused"] == []
    asked = {"numbers": ["+14155550109", BOB, "12"]}
    checked = boss.call("POST", "/v1/suppressions/check", asked).json["numbers"]
    assert [each["suppressed"] for each in checked] == [True, False, None]
    assert checked[0]["list"] == "global"
    assert checked[0]["source"] == ""


def test_an_entry_ends_when_it_was_asked_to(boss: Intake):
    asked = {"numbers": [ADA], "until": "2d", "list": "later"}
    assert boss.call("POST", "/v1/suppressions", asked).json["list"] == "later"
    assert boss.call("POST", "/v1/campaigns", {"campaign": "spring", "lists": ["later"]}).json[
        "lists"
    ] == ["later"]
    query = {"numbers": [ADA], "campaign": "spring"}
    (found,) = boss.call("POST", "/v1/suppressions/check", query).json["numbers"]
    assert found["until"] > found["since"]
    for until in ("soon", "2020-01-01T00:00+00:00", "2099-01-01"):
        refused = boss.call("POST", "/v1/suppressions", {"numbers": [BOB], "until": until})
        assert (refused.status, refused.json["detail"].partition(":")[0]) == (422, "until")


def test_a_campaign_is_set_as_the_command_sets_it(boss: Intake, call: Call, redis_behind: Any):
    asked = {
        "campaign": "spring", "hours": "09:00-20:00", "days": "mon-fri", "holidays": ["2026-12-24"],
        "pace": "600/min", "zone": "hold", "close_early": 60, "lists": ["asked-by-mail"],
        "caps": ["3/7d", "1/24h"],
        "ends": "2099-12-24T18:00+01:00",
    }  # fmt: skip
    answer = boss.call("POST", "/v1/campaigns", asked)
    assert answer.status == 200, answer.body
    shown = call("campaign", "show", "spring", "--json", CALLSPOOL_REDIS_URL=redis_behind.url)
    assert answer.json == json.loads(shown.out)
    assert boss.call("GET", "/v1/campaigns").json == {"campaigns": [answer.json]}
    later = boss.call("POST", "/v1/campaigns", {"campaign": "spring", "pace": "10/s"}).json
    assert (later["pace_per_minute"], later["hours"]) == (600, ["09:00-20:00"])
    entries = LedgerReader(boss.redis).ask(read_journal(50))
    assert {each.by for each in entries if each.command == "set"} == {"key boss"}
    (other,) = boss.call("GET", "/v1/campaigns?campaign=autumn").json["campaigns"]
    assert (other["campaign"], other["hours"], other["lists"]) == ("autumn", None, [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hours", "25:00-26:00"),
        ("days", "Ada"),
        ("holidays", ["Ada"]),
        ("zone", "Ada"),
        ("zone_field", "\x00Ada"),
        ("close_early", -1),
        ("pace", "Ada"),
        ("starts", "Ada"),
        ("ends", "2026-12-01"),
        ("lists", ["Ada"]),
        ("caps", ["Ada"]),
        ("campaign", "\x1fAda"),
        ("account", "Ada"),
    ],
)
def test_a_campaign_that_cannot_be_set_stays_as_it_was(boss: Intake, field: str, value: object):
    asked = {"campaign": "spring", "pace": "10/s", "lists": ["fine"], field: value}
    answer = boss.call("POST", "/v1/campaigns", asked)
    assert answer.status == 422
    assert answer.json["detail"].startswith(field.removesuffix("s"))
    assert b"Ada" not in answer.body
    assert boss.call("GET", "/v1/campaigns").json == {"campaigns": []}


ADD, CHECK, CAMPAIGN = "/v1/suppressions", "/v1/suppressions/check", "/v1/campaigns"


@pytest.mark.parametrize(
    ("bound", "method", "path", "body", "status"),
    [
        ({"account": "acme"}, "POST", ADD, {"numbers": [ADA]}, 200),
        ({"account": "acme"}, "POST", ADD, {"numbers": [ADA], "account": "other"}, 403),
        ({"account": "acme"}, "POST", ADD, {"numbers": [ADA], "list": "global"}, 403),
        ({"account": "acme"}, "POST", ADD, {"numbers": [ADA], "list": "named"}, 403),
        ({"account": "acme"}, "POST", ADD, {"numbers": [ADA], "list": "account:other"}, 403),
        ({"space_token": SPACE}, "POST", ADD, {"numbers": [ADA]}, 403),
        ({"campaign": "spring"}, "POST", ADD, {"numbers": [ADA]}, 403),
        ({"account": "acme", "campaign": "spring"}, "POST", ADD, {"numbers": [ADA]}, 403),
        ({"account": "acme"}, "POST", CHECK, {"numbers": [ADA], "account": "other"}, 403),
        ({"campaign": "spring"}, "POST", CHECK, {"numbers": [ADA], "campaign": "autumn"}, 403),
        ({"space_token": SPACE}, "POST", CHECK, {"numbers": [ADA]}, 200),
        ({"campaign": "spring"}, "POST", CAMPAIGN, {"pace": "10/s"}, 200),
        ({"campaign": "spring"}, "POST", CAMPAIGN, {"campaign": "", "pace": "10/s"}, 403),
        ({"account": "acme"}, "POST", CAMPAIGN, {"account": "other", "pace": "10/s"}, 403),
        ({"space_token": SPACE}, "POST", CAMPAIGN, {"pace": "10/s"}, 403),
        ({"campaign": "spring"}, "GET", f"{CAMPAIGN}?campaign=autumn", None, 403),
        ({"account": "acme"}, "GET", f"{CAMPAIGN}?account=other", None, 403),
    ],
)
def test_a_key_steers_nothing_outside_of_what_it_is_bound_to(
    intake: Intake, bound: dict[str, str], method: str, path: str, body: object, status: int
):
    secret = intake.create_key("bound", **bound)
    answer = intake.call(method, path, body, secret=secret)
    assert answer.status == status, answer.body
    if status == 403:
        assert Suppression([intake.redis], "test").lists() == []
        assert intake.call("GET", CAMPAIGN, secret=intake.create_key("b2")).json["campaigns"] == []


def test_a_key_sees_the_lists_and_campaigns_that_it_is_bound_to(boss: Intake):
    boss.call("POST", ADD, {"numbers": [ADA], "source": "a secret"})
    boss.call("POST", ADD, {"numbers": [ADA, BOB], "account": "acme"})
    for account, campaign in (("acme", "spring"), ("acme", ""), ("other", "spring")):
        boss.call("POST", CAMPAIGN, {"account": account, "campaign": campaign, "pace": "9/s"})
    bound = boss.create_key("acme", account="acme")
    lists = boss.call("GET", ADD, secret=bound).json["lists"]
    assert lists == [{"list": "account:acme", "numbers": 2}]
    campaigns = boss.call("GET", CAMPAIGN, secret=bound).json["campaigns"]
    assert [each["campaign"] for each in campaigns] == ["", "spring"]
    assert {each["account"] for each in campaigns} == {"acme"}
    (found,) = boss.call("POST", CHECK, {"numbers": [ADA]}, secret=bound).json["numbers"]
    assert (found["suppressed"], found.get("source")) == (True, None)
    narrow = boss.create_key("narrow", campaign="spring")
    campaigns = boss.call("GET", CAMPAIGN, secret=narrow).json["campaigns"]
    assert [each["account"] for each in campaigns] == ["acme", "other"]


@pytest.mark.parametrize(
    ("right", "method", "path", "body"),
    [
        (Right.OPERATE, "POST", ADD, {"numbers": [ADA]}),
        (Right.OPERATE, "POST", CAMPAIGN, {"pace": "10/s"}),
        (Right.READ, "POST", CHECK, {"numbers": [ADA]}),
        (Right.READ, "GET", ADD, None),
        (Right.READ, "GET", CAMPAIGN, None),
    ],
)
def test_each_of_these_needs_its_scope(
    intake: Intake, right: Right, method: str, path: str, body: object
):
    others = intake.create_key("others", *(set(Right) - {right}))
    assert intake.call(method, path, body, secret=others).status == 403
    alone = intake.create_key("alone", right)
    assert intake.call(method, path, body, secret=alone).status == 200
