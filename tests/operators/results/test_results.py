"""`callspool results`: every row again, with what became of it."""

import csv
import gzip
import io
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from callspool.request.identity import made_document_id
from tests.operators.conftest import Call
from tests.operators.results.conftest import SPACE, TASKS, GiveBack
from tests.support.ledgers import LedgerUnderTest, group

LIST = """\
ID,Name,Phone,State
made,Ada,+14155550100,CA
lost,Bob,+14155550101,NY
bad,"Cy
Two",+14155550102,
new,Dee,+14155550103,
never,Eve,+14155550104,
broken,Fay,9.19877E+11,
made,Ada,+14155550100,CA
other,Ada again,+1 415 555 0100,CA
a,b,c,d,too many
"""


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return path


def test_each_row_comes_back_in_its_order_with_its_answer(
    spool: LedgerUnderTest, contacts: Path, give_back: GiveBack
) -> None:
    result, rows = give_back(contacts)
    assert (result.code, result.err) == (1, "")
    assert "9 rows: 1 created, 1 waiting, 1 in doubt, 1 dead, 2 duplicate, 2 invalid" in result.out
    states = ["created", "in_doubt", "dead", "waiting", "unknown", "invalid", "created", "created"]
    assert [row["state"] for row in rows] == [*states, "invalid"]
    assert [row["ID"] for row in rows[:6]] == ["made", "lost", "bad", "new", "never", "broken"]
    assert [row["State"] for row in rows[:3]] == ["CA", "NY", ""]
    assert rows[2]["Name"] == "Cy\nTwo"
    made, lost, bad = rows[:3]
    assert (made["run_id"], made["task_id"], made["attempts"]) == ("R1", TASKS[0], "1")
    assert made["accepted_at"] <= made["settled_at"]
    assert (lost["reason"], lost["settled_at"], lost["run_id"]) == ("timed out", "", "")
    assert bad["reason"] == "'=cmd: the API's words"
    assert "never sent" in rows[4]["reason"]
    assert "shortened" in rows[5]["reason"]
    assert [row["duplicate_of"] for row in rows[6:8]] == ["line 2", "line 2"]
    assert [row["line"] for row in rows] == ["2", "3", "4", "6", "7", "8", "9", "10", "11"]
    assert rows[8]["ID"] == "a,b,c,d,too many"


def test_a_number_that_was_shared_on_purpose_has_an_answer_of_its_own(
    spool: LedgerUnderTest, contacts: Path, give_back: GiveBack
) -> None:
    spool.accept(group(["other"]))
    shared = give_back(contacts, "--allow-shared-numbers")[1][7]
    assert (shared["state"], shared["duplicate_of"]) == ("waiting", "")
    told_anyway = give_back(contacts)[1][7]
    assert (told_anyway["state"], told_anyway["duplicate_of"]) == ("waiting", "line 2")


def test_a_row_whose_id_belongs_to_another_number_shows_nobody_elses_call(
    spool: LedgerUnderTest, give_back: GiveBack, tmp_path: Path
) -> None:
    spool.accept(group(["1", "2"], numbers=["+14155550100", "+14155550101"]))
    path = tmp_path / "list.csv"
    path.write_text("ID,Name,Phone\n1,Cy,+14155550102\n2,Bo,+1 415 555 0101\n")
    result, (first, second) = give_back(path)
    assert "2 rows: 1 waiting, 1 conflict" in result.out
    assert result.code == 1
    assert (first["state"], first["attempts"], first["accepted_at"]) == ("conflict", "", "")
    assert "another number" in first["reason"]
    assert second["state"] == "waiting"


def test_a_row_whose_number_is_on_a_list_is_suppressed_and_an_operators_cancel_is_not(
    spool: LedgerUnderTest, call: Call, redis_url: str, give_back: GiveBack, tmp_path: Path
) -> None:
    listed = group(["off"], reason="suppressed: on the global list since 2026-12-01T14:00:00Z")
    spool.accept(replace(listed, suppressed="global"))
    path = tmp_path / "list.csv"
    path.write_text("ID,Name,Phone\nmade,Ada,+14155550100\noff,Bo,+14155550101\n")
    result, rows = give_back(path)
    assert [row["state"] for row in rows] == ["created", "suppressed"]
    assert result.out.startswith("2 rows: 1 created, 1 suppressed\n")
    assert result.code == 0
    assert call("cancel", "--document-id", "new", "--yes", "--redis", redis_url).code == 0
    path.write_text("ID,Name,Phone\nnew,Dee,+14155550103\n")
    result, rows = give_back(path)
    assert ([row["state"] for row in rows], result.code) == (["cancelled"], 1)


def test_an_id_that_was_made_of_a_number_is_told(
    spool: LedgerUnderTest, give_back: GiveBack, tmp_path: Path
) -> None:
    made = made_document_id("+14155550100")
    spool.accept(group([made]))
    path = tmp_path / "list.tsv"
    path.write_text("name\tphone\tstate\nAda\t(415) 555-0100\tCA\n")
    result, [row] = give_back(path, "--region", "us")
    assert (row["document_id"], row["state"], row["callspool_state"]) == (made, "CA", "waiting")
    assert result.code == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.jsonl", '{"id":"made","name":"A","phone":"+14155550100"}\n{"x":[1, 2],"y":null}\n'),
        ("list.json", '[{"id":"made","name":"A","phone":"+14155550100"},\n{"x":[1, 2],"y":null}]'),
    ],
)
def test_json_comes_back_as_a_table_of_all_its_keys(
    spool: LedgerUnderTest, give_back: GiveBack, tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress(content.encode()))
    _, rows = give_back(path)
    assert list(rows[0])[:6] == ["id", "name", "phone", "x", "y", "state"]
    assert (rows[0]["state"], rows[0]["phone"]) == ("created", "'+14155550100")
    assert (rows[1]["state"], rows[1]["x"], rows[1]["y"]) == ("invalid", "[1, 2]", "")


def test_several_lists_and_standard_input_come_back_as_one(
    spool: LedgerUnderTest, contacts: Path, give_back: GiveBack, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = '{"document_id":"bad","name":"C","contact_number":"+14155550102"}\n'
    writer = threading.Thread(target=pipe.write_text, args=[text])
    writer.start()
    _, rows = give_back(pipe, "-", stdin=b"Phone,ID,Name\n+14155550100,made,Zo\xc3\xab\n\xff,x,y\n")
    writer.join()
    assert [row["state"] for row in rows] == ["dead", "created", "invalid"]
    assert [row["file"] for row in rows] == [str(pipe), "'-", "'-"]
    assert rows[1]["Phone"] == "'+14155550100"
    assert rows[2]["Phone"] == "\\xff"


def test_json_summarises_on_stdout_and_needs_a_file_for_the_rows(
    spool: LedgerUnderTest, contacts: Path, give_back: GiveBack, call: Call, redis_url: str
) -> None:
    result, _ = give_back(contacts, "--json")
    documents = result.json["documents"]
    assert isinstance(documents, dict)
    assert documents["read"] == 9
    assert documents["accepted"] == documents["created"] + documents["waiting"] + 2
    assert (documents["duplicate"], documents["invalid"], documents["unknown"]) == (2, 2, 1)
    refused = call("results", contacts, *SPACE, "--redis", redis_url, "--json")
    assert (refused.code, refused.out) == (2, "")


def test_a_list_that_is_created_whole_exits_with_0_unless_strict(
    spool: LedgerUnderTest, give_back: GiveBack, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id,name,phone\nmade,Ada,+14155550100\nx,Bob,no number\n")
    assert give_back(path)[0].code == 0
    assert give_back(path, "--strict")[0].code == 1


def test_a_list_is_never_overwritten_and_half_an_answer_never_left(
    spool: LedgerUnderTest, contacts: Path, call: Call, redis_url: str, tmp_path: Path
) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(contacts)
    where = [*SPACE, "--redis", redis_url]
    for out in (contacts, link):
        refused = call("results", contacts, *where, "-o", out)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert contacts.read_text() == LIST
    old = tmp_path / "out.csv"
    old.write_text("old")
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(os.urandom(5000).hex().encode().join([LIST.encode()] * 2))[:-99])
    assert call("results", cut, *where, "-o", old).code == 2
    assert old.read_text() == "old"
    nowhere = call("results", contacts, *where, "-o", tmp_path / "no" / "such" / "place.csv")
    assert nowhere.code == 2
    assert not [each for each in tmp_path.iterdir() if each.name.endswith(".part")]


def test_rows_go_to_stdout_and_words_to_stderr(
    spool: LedgerUnderTest, contacts: Path, call: Call, redis_url: str
) -> None:
    result = call("results", contacts, *SPACE, "--redis", redis_url)
    assert result.out.startswith("ID,Name,Phone,State,state,reason,")
    assert result.out.count("\n") == 11
    assert "9 rows:" in result.err


def test_the_only_scope_that_fits_is_taken_and_several_are_listed(
    spool: LedgerUnderTest, contacts: Path, call: Call, redis_url: str
) -> None:
    where = ["--redis", redis_url, "--json", "-o", "out.csv"]
    found = call("results", contacts, *where).json
    assert (found["account"], found["space_token"], found["campaign"]) == ("default", "SPACE", "")
    lane = group(["x"]).lane._replace(campaign="spring")
    spool.accept(group(["made"], lane))
    several = call("results", contacts, *where)
    assert (several.code, several.err.count("\n")) == (2, 1)
    assert "--campaign spring" in several.err
    spring = call("results", contacts, *where, "--campaign", "spring").json
    assert spring["campaign"] == "spring"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_list_comes_back_in_its_own_delimiter_and_encoding(
    spool: LedgerUnderTest,
    call: Call,
    redis_url: str,
    tmp_path: Path,
    encoding: str,
    delimiter: str,
) -> None:
    path = tmp_path / "list.csv"
    text = "id,name,phone\nmade,Zoë Müller,+14155550100\n".replace(",", delimiter)
    path.write_bytes(text.encode(encoding))
    call("results", path, *SPACE, "--redis", redis_url, "-o", "out.csv")
    written = (tmp_path / "out.csv").read_bytes()
    assert written.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    header, row, *_ = csv.reader(io.StringIO(written.decode(encoding)), delimiter=delimiter)
    assert (header[:4], row[1]) == (["id", "name", "phone", "state"], "Zoë Müller")
    call("results", path, *SPACE, "--redis", redis_url, "-o", "out.csv.gz", "--no-bom")
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).startswith(
        f"id{delimiter}name".encode()
    )


def test_the_shown_beginning_of_a_space_token_finds_its_answers(
    spool: LedgerUnderTest, contacts: Path, call: Call, redis_url: str, tmp_path: Path
) -> None:
    output = ("-o", tmp_path / "out.csv", "--redis", redis_url)
    shown = call("results", contacts, "--space-token", f"{SPACE[1][:4]}…", *output)
    whole = call("results", contacts, *SPACE, *output)
    assert "1 created" in whole.out
    assert (shown.code, shown.out) == (whole.code, whole.out)
    nobody = call("results", contacts, "--space-token", "NOBO…", *output)
    assert (nobody.code, nobody.err.count("\n")) == (2, 1)
