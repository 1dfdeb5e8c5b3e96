"""What is known before a real send: what the files hold, what the ledger has, and the question."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from callspool.request.call_request import CheckedEnvelope
from callspool.request.identity import number_digests
from callspool_ledger import keys
from callspool_ledger.guard import Suppression
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_clock
from callspool_operators.options.known_already import SLICE, KnownAlready, KnownLookup
from tests.operators.conftest import Call
from tests.support.ledgers import LANE, LedgerUnderTest, group
from tests.support.terminal import on_a_terminal

TARGET = ("--space-token", "SPACE", "--pilot", "pilot-a", "--context", "Follow up")
ENVELOPE = CheckedEnvelope(
    space_token="SPACE", pilot="pilot-a", context="Follow up", schedule={"type": "now"}
)
STREAM = keys.stream(keys.REQUESTS)


@pytest.fixture
def ledger(client: redis.Redis) -> LedgerUnderTest:
    return LedgerUnderTest(client, batch_size=100, linger_ms=0)


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    path = tmp_path / "contacts.csv"
    rows = [f"crm-{n},Ada {n},+141555501{n:02}\n" for n in range(10)]
    path.write_text("ID,Name,Phone\n" + "".join(rows) + "crm-99,Eve,+14155550103\n,,x\n")
    return path


def accepted(ledger: LedgerUnderTest, ids: list[str], envelope: CheckedEnvelope = ENVELOPE) -> None:
    """The ledger has these documents, waiting in the lane of the envelope."""
    lane = LANE._replace(pilot=envelope.pilot)
    ledger.accept(replace(group(ids, lane), lane_id=envelope.lane_id))


def known(client: redis.Redis, ids: list[str], **options: float) -> KnownAlready:
    looking = KnownLookup(LedgerReader(client), ENVELOPE, **options)
    for one in ids:
        looking.add(one)
    return looking.collect()


def test_ids_that_are_known_with_other_numbers_are_no_duplicates(
    ledger: LedgerUnderTest, client: redis.Redis, contacts: Path, call: Call, redis_url: str
) -> None:
    ids = ["crm-1", "crm-2"]
    lane = replace(group(ids, LANE._replace(pilot=ENVELOPE.pilot)), lane_id=ENVELOPE.lane_id)
    ledger.accept(replace(lane, numbers=number_digests(["+14155550190", "+14155550102"])))
    found = call("send", contacts, *TARGET, "--dry-run", "--redis", redis_url)
    assert "  1 waiting from an earlier run, sent when they may be called\n" in found.out
    assert "  8 new\n" in found.out
    assert "1 not called: the ledger knows the id with another number (conflict)" in found.out
    assert "if it is the same number without its country: --region\n" in found.out


def test_suppressed_contacts_are_counted_among_new_and_waiting_ones_and_in_the_forecast(
    ledger: LedgerUnderTest, client: redis.Redis, contacts: Path, call: Call, redis_url: str
) -> None:
    accepted(ledger, ["crm-1", "crm-2"])
    Suppression([client], "ann").add(["+14155550101", "+14155550105", "+14155550106"], "global")
    name = [ENVELOPE.campaign, "--account", ENVELOPE.account, "--redis", redis_url]
    assert call("campaign", "set", *name, "--hours", "00:00-24:00").code == 0
    found = call("send", contacts, *TARGET, "--dry-run", "--redis", redis_url)
    assert (
        "  2 waiting from an earlier run, sent when they may be called, but 1 on a list\n"
        in found.out
    )
    assert "  6 new, 2 on the global list\n" in found.out
    (line,) = [line for line in found.out.splitlines() if "Calling hours" in line]
    assert line.startswith("Calling hours: of 10: ")
    assert line.endswith(", 3 suppressed")


def test_what_the_ledger_knows_is_counted_with_its_age(
    ledger: LedgerUnderTest, client: redis.Redis
) -> None:
    before = LedgerReader(client).ask(read_clock())
    accepted(ledger, [f"crm-{n}" for n in range(250)])
    found = known(client, [f"crm-{n}" for n in range(SLICE + 5)])
    assert (found.documents, found.asked, found.known) == (SLICE + 5, SLICE + 5, 250)
    assert found.states == {"waiting": 250}
    assert found.since is not None
    assert before <= found.since.timestamp() * 1000 <= LedgerReader(client).ask(read_clock())
    assert (found.elsewhere, found.parked) == (0, 0)
    assert found.lines() == [
        "  250 waiting from an earlier run, sent when they may be called",
        "  1,755 new",
    ]


def test_new_documents_on_a_list_are_not_counted_as_to_be_called(
    ledger: LedgerUnderTest, contacts: Path, call: Call, redis_url: str
) -> None:
    accepted(ledger, ["crm-1"])
    where = ("--redis", redis_url)
    call("suppress", "add", "+14155550103", *where)
    found = call("send", contacts, *TARGET, "--dry-run", *where)
    assert "  8 new, 1 on the global list\n" in found.out
    known_now = call("send", contacts, *TARGET, "--dry-run", "--json", *where).json["known"]
    assert (known_now["new"], known_now["suppressed"]) == (8, 1)


def test_documents_that_wait_with_another_pilot_are_told_with_the_way_out(
    ledger: LedgerUnderTest, client: redis.Redis
) -> None:
    other = CheckedEnvelope(
        space_token="SPACE", pilot="wrong", context="Follow up", schedule={"type": "now"}
    )
    accepted(ledger, ["crm-1", "crm-2"], other)
    found = known(client, ["crm-1", "crm-2", "crm-3"])
    assert (found.elsewhere, found.parked) == (2, 0)
    lines = "\n".join(found.lines())
    assert "2 wait with another pilot, context or schedule:" in lines
    assert "callspool cancel" in lines


def test_looking_up_ends_when_it_takes_too_long(
    ledger: LedgerUnderTest, client: redis.Redis
) -> None:
    ticks = iter(range(0, 1000, 10))
    ids = [f"crm-{n}" for n in range(3 * SLICE)]
    found = known(client, ids, patience=15, clock=lambda: next(ticks))
    assert (found.documents, found.asked) == (3 * SLICE, SLICE)
    assert "only the first 2,000 of 6,000" in found.lines()[-1]
    assert found.to_json()["complete"] is False


def test_a_ledger_that_stops_answering_hinders_nothing() -> None:
    with redis.Redis(port=1, socket_connect_timeout=0.1) as gone:
        found = known(gone, ["crm-1"])
    assert (found.documents, found.asked, found.known) == (1, 0, 0)


def test_a_rehearsal_tells_scripts_all_that_it_tells_people(
    call: Call, contacts: Path, ledger: LedgerUnderTest, redis_url: str
) -> None:
    accepted(ledger, ["crm-1", "crm-2"])
    arguments = ("send", contacts, *TARGET, "--redis", redis_url, "--dry-run")
    found = call(*arguments, "--json").json
    assert found["documents"] == {
        "read": 12,
        "enqueued": 0,
        "valid": 10,
        "duplicate": 1,
        "invalid": 1,
    }
    assert found["duplicates"] == {"contact": 0, "number": 1, "id": 0, "reused_id": 0}
    [duplicate] = found["duplicate_rows"]
    assert (duplicate["line"], duplicate["of_line"]) == (12, 5)
    assert duplicate["reason"] == "duplicate of line 5 (same number as crm-3)"
    assert [row["line"] for row in found["invalid_rows"]] == [13]
    [file] = found["files"]
    assert file["columns"] == {
        "ID": "document_id",
        "Name": "name",
        "Phone": "contact_number",
    }
    assert found["target"]["pilot"] == "pilot-a"
    assert found["first_document"]["contact_number"] == "+•••••••0100"
    assert found["known"]["states"] == {"waiting": 2}
    shown = call(*arguments).out
    assert "  2 waiting from an earlier run, sent when they may be called\n  8 new\n" in shown
    assert "--allow-shared-numbers sends these, too" in shown


def test_a_rehearsal_needs_no_redis(call: Call, contacts: Path) -> None:
    result = call("send", contacts, *TARGET, "--redis", "redis://127.0.0.1:1", "--dry-run")
    assert result.code == 0
    assert "No ledger answered" in result.out
    json = call("send", contacts, *TARGET, "--redis", "redis://127.0.0.1:1", "--dry-run", "--json")
    assert json.json["known"] is None


def test_what_was_handed_over_before_is_told_with_its_age(
    ledger: LedgerUnderTest, client: redis.Redis
) -> None:
    accepted(ledger, ["crm-1", "crm-2"])
    assert ledger.ledger.take("me:1", ["default"]) is not None
    found = known(client, ["crm-1", "crm-2", "crm-3"])
    assert found.handed_since is not None
    [handed, campaign, new] = found.lines()
    assert handed.startswith("  2 handed over before (the first 20")
    assert handed.endswith("): 2 sending;")
    assert "another --campaign calls them again" in campaign
    assert new == "  1 new"


def test_a_file_is_checked_without_space_and_credentials(call: Call, contacts: Path) -> None:
    result = call("send", contacts, "--dry-run", "--redis", "redis://127.0.0.1:1")
    assert (result.code, result.err) == (0, "")
    assert "12 rows: 10 documents, 1 duplicate in the files, 1 invalid" in result.out
    assert "  space     (not given)" in result.out
    found = call("run", contacts, "--dry-run", "--json").json
    assert (found["documents"]["valid"], found["target"]["space_token"]) == (10, None)
    assert call("send", contacts, "--redis", "redis://127.0.0.1:1").code == 2


def test_a_quota_takes_those_alone_that_the_ledger_does_not_know(
    call: Call, contacts: Path, ledger: LedgerUnderTest, redis_url: str
) -> None:
    accepted(ledger, ["crm-0", "crm-2"])
    arguments = ("send", contacts, *TARGET, "--redis", redis_url, "--yes", "--new")
    assert (
        "Call 3 new contacts"
        in on_a_terminal([*map(str, arguments[:-2]), "--new", "3"], b"n\n").screen
    )
    found = call(*arguments, "3", "--json").json["documents"]
    assert found == {"read": 7, "enqueued": 3, "duplicate": 1, "invalid": 1, "known": 2}
    refused = call(*arguments, "3")
    assert "3 documents are in the queue that no worker has accepted yet" in refused.err


def test_the_question_comes_although_stdout_is_a_pipe(
    contacts: Path, ledger: LedgerUnderTest, redis_url: str, client: redis.Redis
) -> None:
    accepted(ledger, ["crm-1", "crm-2"])
    arguments = ["send", str(contacts), *TARGET, "--redis", redis_url, "--json"]
    refused = on_a_terminal(arguments, b"n\n", pipes=("stdout",))
    assert refused.code == 130
    assert refused.piped == ""
    for words in ("12 rows: 10 documents", "space SPACE, pilot pilot-a, account default"):
        assert words in refused.screen
    assert "2 waiting from an earlier run, sent when they may be called" in refused.screen
    assert "Call 8 new contacts by the account default now? [y/N]" in refused.screen
    assert client.xlen(STREAM) == 0
    sent = on_a_terminal(arguments, b"y\n", pipes=("stdout",))
    assert sent.code == 0
    assert '"enqueued":10' in sent.piped
    assert sent.piped.count("\n") == 1


def test_nobody_is_asked_where_nobody_can_answer(contacts: Path, redis_url: str) -> None:
    sent = on_a_terminal(
        ["send", str(contacts), *TARGET, "--redis", redis_url], b"", pipes=("stdin",)
    )
    assert sent.code == 0
    assert "[y/N]" not in sent.screen
    assert "10 enqueued" in sent.screen


def test_nobody_is_asked_about_nothing(tmp_path: Path, redis_url: str) -> None:
    path = tmp_path / "header.csv"
    path.write_text("name,phone\n")
    seen = on_a_terminal(["send", str(path), *TARGET, "--redis", redis_url], b"")
    assert seen.code == 0
    assert "No rows: there is nothing to send." in seen.screen
    assert "[y/N]" not in seen.screen
    assert seen.screen.rstrip().endswith("Nothing was sent.")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("2036-12-01T18:00", "has no offset: write it as 2036-12-01T18:00"),
        ("2020-12-01T18:00Z", "is past already"),
        ("0h", "is past already"),
        ("-2h", "neither a span"),
        ("tomorrow", "neither a span"),
        ("0001-01-01T00:00", "has no offset"),
    ],
)
def test_a_wrong_expiry_is_refused_with_what_would_be_right(
    call: Call, contacts: Path, given: str, words: str
) -> None:
    result = call("send", contacts, *TARGET, "--expires", given, "--dry-run")
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("given", ["2h", "90 m", "1.5d", "2w", "2036-12-01T18:00+05:30"])
def test_an_expiry_is_shown_in_the_users_time(call: Call, contacts: Path, given: str) -> None:
    result = call("send", contacts, *TARGET, "--expires", given, "--dry-run")
    assert result.code == 0
    assert "  expires   20" in result.out


def rows_in(path: Path) -> list[tuple[str, ...]]:
    """Line, reason and id of the rows that were kept."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["line"], row["reason"], row["ID"]) for row in csv.DictReader(file)]


def test_rejects_and_duplicates_name_every_row_that_does_not_go_on(
    call: Call, contacts: Path, tmp_path: Path, redis_url: str
) -> None:
    rejects = tmp_path / "rejects.csv"
    other = tmp_path / "other.csv"
    other.write_text("ID,Name,Phone\ncrm-1,Ada,+14155550199\n,Bob,+14155550101\n,Cy,+14155550107\n")
    arguments = ("send", contacts, other, *TARGET, "--redis", redis_url, "--rejects", rejects)
    result = call(*arguments, "--duplicates", tmp_path / "twice.csv")
    assert result.code == 0
    assert rows_in(rejects) == [("13", "name: must not be blank", "")]
    assert rows_in(tmp_path / "twice.csv") == [
        ("12", "duplicate of line 5 (same number as crm-3)", "crm-99"),
        (
            "2",
            f"duplicate of {contacts}, line 3 (same id, another number)",
            "crm-1",
        ),
        ("3", f"duplicate of {contacts}, line 3 (same number as crm-1)", ""),
        ("4", f"duplicate of {contacts}, line 9 (same number as crm-7)", ""),
    ]
    assert "3 duplicate: the same number under another id" in result.out
    assert "1 duplicate: the same id with another number" in result.out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--map", "Handy=contact_number"), "it has ID, Name, Phone"),
        (("--map", "Phone=number"), "'number' is no field: take one of contact_number"),
        (("--map", "Phone"), "is not COLUMN=FIELD"),
        (("--map", "Phone=name", "--map", "Name=name"), "a field one column"),
    ],
)
def test_a_wrong_map_is_told_with_what_is_there(
    call: Call, contacts: Path, flags: tuple[str, ...], words: str
) -> None:
    result = call("send", contacts, *TARGET, *flags, "--dry-run")
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1
