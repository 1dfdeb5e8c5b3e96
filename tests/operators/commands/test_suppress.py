from __future__ import annotations

import gzip
import stat
from pathlib import Path
from random import shuffle

import pytest

from callspool_operators.lists.number_lists import numbers_in
from callspool_operators.lists.source import Source
from tests.operators.conftest import Call, Result

ASKED = "+14155550123"


@pytest.fixture
def suppress(call: Call, redis_url: str) -> Call:
    """Runs a command of `callspool suppress` on that ledger, as ann."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
        where = ("--redis", redis_url)
        return call("suppress", *arguments, *where, stdin=stdin, CALLSPOOL_OPERATOR="ann")

    return run


def test_a_number_is_put_on_a_list_checked_and_taken_off(
    suppress: Call, call: Call, redis_url: str
):
    added = suppress("add", ASKED, "+1 415 555 0124", "nobody", "--source", "by mail")
    assert added.code == 1
    assert added.out.startswith("List global: 2 numbers added, 1 cannot be read as a number.\n")
    found = suppress("check", ASKED, "+14155550199")
    assert found.code == 1
    first, second = found.out.splitlines()
    assert first.startswith("number …23: suppressed: on the global list since 20")
    assert first.endswith("Z (by mail)")
    assert second == "number …99: not on a list"
    assert suppress("remove", ASKED).out == "1 number taken off the list global.\n"
    assert suppress("check", ASKED).code == 0
    journal = call("journal", "--redis", redis_url).out
    assert "ann: suppress add list global: 2 numbers" in journal
    assert "ann: suppress remove list global: 1 number" in journal
    assert "415555" not in journal


def test_every_command_names_its_ledger_and_adding_says_which_runs_miss_it(
    call: Call, redis_url: str, tmp_path: Path
):
    own = "`callspool run` without --redis keeps lists of its own"
    secret = redis_url.replace("redis://", "redis://default:@")
    (tmp_path / "asked.txt").write_text(f"{ASKED}\n")
    for arguments, adds in (
        (["add", ASKED], True),
        (["import", "asked.txt"], True),
        (["check", ASKED], False),
        (["remove", ASKED], False),
    ):
        found = call("suppress", *arguments, CALLSPOOL_REDIS_URL=secret)
        assert f"Ledger: {secret.replace(':@', ':***@')}\n" in found.err, arguments
        assert (own in found.err) == adds, arguments
    place = tmp_path / "rehearsal"
    local = call("suppress", "add", ASKED, "--state-dir", place)
    assert local.code == 0
    assert local.err == f"Ledger: the state directory {place}\n"


def test_numbers_come_from_stdin_for_a_list_of_an_account(suppress: Call):
    added = suppress("add", "-", "--account", "acme", "--json", stdin=f"{ASKED}\n\n".encode())
    assert added.json["added"] == 1
    assert suppress("check", ASKED).code == 0
    assert suppress("check", ASKED, "--account", "acme").code == 1
    shown = suppress("lists", "--json").json["lists"]
    assert isinstance(shown, list)
    assert [(each["list"], each["numbers"]) for each in shown] == [("account:acme", 1)]


def test_a_number_whose_country_is_not_known_is_refused_and_named(suppress: Call, tmp_path: Path):
    (tmp_path / "asked.csv").write_text("phone\n415 555 0123\n+14155550124\n415 555 0125\n")
    refusal = "has no country code: write + and its country code, or say --region US"
    for command in (["add", "(415) 555-0123"], ["remove", "(415) 555-0123"]):
        refused = suppress(*command)
        assert refused.code == 1, command
        assert f"number …23 left out: {refusal}" in refused.err
    asked = suppress("check", "(415) 555-0123")
    assert (asked.code, asked.out) == (1, f"number …23: {refusal}\n")
    row = suppress("check", "(415) 555-0123", "--json").json["numbers"][0]  # type: ignore[index]
    assert (row["suppressed"], row["fault"]) == (None, refusal)
    imported = suppress("import", "asked.csv")
    assert imported.code == 1
    assert "List global: 1 number added" in imported.out
    assert "number …23 and 1 more left out" in imported.err
    assert suppress("add", "(415) 555-0123", "--region", "US").code == 0
    assert suppress("check", ASKED).code == 1
    assert suppress("add", "415 555 0125", "--numbers-as-they-are").code == 0


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("bare.txt", f"{ASKED}\n+14155550124\n", [ASKED, "+14155550124"]),
        ("one.csv", f"Opt-outs\n{ASKED}\n", [ASKED]),
        ("crm.csv", f"Name;Phone;Alt. phone\nAda;{ASKED};+14155550124\n", [ASKED, "+14155550124"]),
        ("two.csv", f'phone\n"{ASKED} / +14155550124"\n', [ASKED, "+14155550124"]),
        ("sheet.csv", "phone\n919876543210.0\n", ["919876543210"]),
        ("rows.jsonl", f'{{"contact_number":"{ASKED}"}}\n', [ASKED]),
        ("list.json", f'[{{"contact_number":"{ASKED}"}}]', [ASKED]),
    ],
)
def test_a_file_of_numbers_needs_no_names(tmp_path: Path, name: str, text: str, found: list[str]):
    file = tmp_path / name
    file.write_text(text)
    with Source(str(file)) as source:
        assert [*numbers_in(source, {}, None)] == found


def test_what_is_exported_is_restored_where_redis_has_forgotten(suppress: Call, tmp_path: Path):
    suppress(
        "add", ASKED, "9876543210", "--numbers-as-they-are", "--source", "by mail", "--until", "90d"
    )
    exported = suppress("export", "-o", "backup.csv", "--json")
    assert exported.json["entries"] == 4  # one number has its digits, and what they may be read as
    backup = tmp_path / "backup.csv"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert "415555" not in backup.read_text()
    before = suppress("lists").out
    suppress("remove", ASKED, "9876543210", "--numbers-as-they-are")
    assert suppress("check", "+919876543210").code == 0
    again = suppress("import", "backup.csv", "--json")
    assert (again.json["added"], again.json["known"]) == (2, 0)
    assert suppress("check", ASKED).code == 1
    assert suppress("check", "+919876543210").code == 1
    assert suppress("lists").out == before


def test_an_export_of_another_installation_is_refused(suppress: Call, tmp_path: Path):
    suppress("add", ASKED)
    suppress("export", "-o", "backup.csv")
    backup = tmp_path / "backup.csv"
    first, rest = backup.read_text().split("\n", 1)
    backup.write_text(f"{first[:-64]}{'0' * 64}\n{rest}")
    refused = suppress("import", "backup.csv")
    assert refused.code != 0
    assert "have another key than the export" in refused.err
    assert suppress("import", "backup.csv", "--list", "x").code == 2


def test_an_export_follows_no_link_and_says_what_it_cannot_write(suppress: Call, tmp_path: Path):
    suppress("add", ASKED)
    (tmp_path / "other.txt").write_text("theirs")
    (tmp_path / "backup.csv").symlink_to(tmp_path / "other.txt")
    refused = suppress("export", "-o", "backup.csv")
    assert (refused.code, "is a symbolic link" in refused.err) == (2, True)
    assert (tmp_path / "other.txt").read_text() == "theirs"
    unwritable = suppress("export", "-o", "nowhere/backup.csv")
    assert unwritable.err == (
        "callspool: cannot write -o nowhere/backup.csv: No such file or directory\n"
    )


def test_wrong_use_is_one_line(suppress: Call, tmp_path: Path):
    (tmp_path / "names.csv").write_text("Name,City\nAda,London\n")
    for arguments, words in (
        (["add"], "name a number, or - to read them from stdin"),
        (["add", ASKED, "--list", "No Name"], "a list is named by 1 to 64 of a-z 0-9 _ -"),
        (["add", ASKED, "--list", "x", "--account", "acme"], "name a list or an account"),
        (["import", "names.csv"], "has no phone column among Name, City"),
        (["import", "none.csv"], "none.csv is not there"),
        (["add", ASKED, "--until", "2020-01-01T00:00Z"], "--until: that time is over"),
        (["add", ASKED, "--until", "0d"], "--until: that time is over"),
    ):
        result = suppress(*arguments)
        assert result.code == 2, arguments
        assert words in result.err
        assert result.err.count("\n") <= 3


@pytest.mark.parametrize(
    "wrong", ["gone.csv", ".", "names.csv", "empty.csv", "torn.csv", "odd.csv"]
)
def test_of_several_files_none_is_imported_where_one_cannot_be_read(
    suppress: Call, tmp_path: Path, wrong: str
):
    suppress("add", "+14155550125", "--list", "before")
    suppress("export", "-o", "backup.csv")
    lines = (tmp_path / "backup.csv").read_text().splitlines()
    (tmp_path / "torn.csv").write_text("\n".join([*lines, lines[2][:30]]))
    (tmp_path / "odd.csv").write_text("\n".join([*lines, lines[2][2:]]))
    (tmp_path / "good.csv").write_text(f"phone\n{ASKED}\n")
    (tmp_path / "names.csv").write_text("Name,City\nAda,London\n")
    (tmp_path / "empty.csv").write_text("phone\n")
    suppress("remove", "+14155550125", "--list", "before")
    result = suppress("import", "good.csv", wrong)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert suppress("lists", "--json").json["lists"] == []


@pytest.mark.parametrize("wrong", ["backup.csv", "torn.csv.gz", "torn.jsonl.gz"])
def test_nothing_is_imported_where_a_later_file_is_wrong_far_down_or_has_its_own_lists(
    suppress: Call, tmp_path: Path, wrong: str
):
    suppress("add", "+14155550125", "--list", "before")
    suppress("export", "-o", "backup.csv")
    suppress("remove", "+14155550125", "--list", "before")
    for name, row in {"torn.csv.gz": "%s", "torn.jsonl.gz": '{"contact_number":"%s"}'}.items():
        rows = [row % f"+1415555{line:04}" for line in range(100, 200)] * 200
        shuffle(rows)
        packed = gzip.compress("\n".join(["phone"] * (row == "%s") + rows).encode())
        (tmp_path / name).write_bytes(packed[: -len(packed) // 3])
    (tmp_path / "good.csv").write_text(f"phone\n{ASKED}\n")
    result = suppress("import", "good.csv", wrong, "--list", "asked")
    assert result.code == 2
    assert suppress("lists", "--json").json["lists"] == []


def test_a_named_list_holds_for_the_campaigns_that_name_it(
    suppress: Call, call: Call, redis_url: str
):
    added = suppress("add", ASKED, "--list", "customers")
    assert added.out.endswith("callspool campaign set NAME --lists customers\n")
    assert suppress("check", ASKED, "--campaign", "spring").code == 0
    where = ("--redis", redis_url)
    found = call("campaign", "set", "spring", "--lists", "customers,others", *where)
    assert "does not call who is on the lists customers, others" in found.out
    assert suppress("check", ASKED, "--campaign", "spring").code == 1
    shown = call("campaign", "show", "spring", "--json", *where).json
    assert shown["lists"] == ["customers", "others"]
    assert call("campaign", "set", "spring", "--lists", "No Name", *where).code == 2
    call("campaign", "unset", "spring", "--lists", *where)
    assert suppress("check", ASKED, "--campaign", "spring").code == 0
