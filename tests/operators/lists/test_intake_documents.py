"""What the rows of a file become."""

import csv
import errno
import io
import os
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callspool.request.checks import Rules
from callspool_operators.lists import Intake, IntakeError, IntakeOptions, RejectsFile, Row
from callspool_operators.lists.row import EarlierRow, EarlierRows
from callspool_operators.lists.row_checks import SeenTexts


def rows_of(tmp_path: Path, content: bytes, name: str = "c.csv", **options: Any) -> list[Row]:
    path = tmp_path / name
    path.write_bytes(content)
    return list(Intake([str(path)], IntakeOptions(**options)))


def document_of(tmp_path: Path, content: bytes, **options: Any) -> dict[str, object]:
    [row] = rows_of(tmp_path, content, **options)
    assert row.good, row.reason
    found = msgspec.json.decode(row.raw, type=dict[str, object])
    assert isinstance(found, dict)
    return found


def test_headers_as_spreadsheets_spell_them_become_fields(tmp_path: Path) -> None:
    header = b"ID,Full Name,Mobile No.,E-Mail,Company,Job Title,Tags,Alt. Phone,City\n"
    row = b'7,Ada,+14155550100,ada@example.org,Engines,Buyer,"a, b;c|d",+14155550101,Paris\n'
    assert document_of(tmp_path, header + row) == {
        "document_id": "7",
        "name": "Ada",
        "contact_number": "+14155550100",
        "email": "ada@example.org",
        "company_name": "Engines",
        "occupation": "Buyer",
        "labels": ["a", "b", "c", "d"],
        "alternate_number": "+14155550101",
        "City": "Paris",
    }


@pytest.mark.parametrize("header", ["first_name,last_name", "First Name,Last Name", "First,Last"])
@pytest.mark.parametrize("name", ["c.csv", "c.jsonl"])
def test_first_and_last_name_become_the_name(tmp_path: Path, header: str, name: str) -> None:
    first, last = header.split(",")
    content = f"{header},phone\nAda,Byron,+14155550100\n"
    if name == "c.jsonl":
        content = f'{{"{first}":"Ada","{last}":"Byron","phone":"+14155550100"}}\n'
    [row] = rows_of(tmp_path, content.encode(), name)
    found = msgspec.json.decode(row.raw)
    assert (found["name"], found[first], found[last]) == ("Ada Byron", "Ada", "Byron")


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=\t", "sep=", "\ufeffsep=;"])
def test_a_line_that_names_the_delimiter_is_no_header(tmp_path: Path, line: str) -> None:
    content = f"{line}\r\nID;Name;Phone\r\n7;Ada;+14155550100\r\n"
    assert document_of(tmp_path, content.encode()) == {
        "document_id": "7",
        "name": "Ada",
        "contact_number": "+14155550100",
    }


def test_a_line_may_name_a_delimiter_of_its_own(tmp_path: Path) -> None:
    found = document_of(tmp_path, b"sep=^\nname^phone\nA;da^+14155550100\n")
    assert (found["name"], found["contact_number"]) == ("A;da", "+14155550100")


def test_the_exact_name_of_a_field_wins_over_a_spelling_of_it(tmp_path: Path) -> None:
    found = document_of(tmp_path, b"Phone,contact_number,name\n+14155550101,+14155550100,Ada\n")
    assert found["contact_number"] == "+14155550100"
    assert found["Phone"] == "+14155550101"


def test_two_phone_columns_become_number_and_alternate(tmp_path: Path) -> None:
    found = document_of(tmp_path, b"name,Mobile,Phone\nAda,+14155550101,+14155550100\n")
    assert found["contact_number"] == "+14155550100"
    assert found["alternate_number"] == "+14155550101"


def test_chosen_columns_win_and_can_be_left_out(tmp_path: Path) -> None:
    found = document_of(
        tmp_path,
        b"Name,Phone,Handy,Secret\nAda,+14155550101,+14155550100,x\n",
        columns={"handy": "contact_number", "Secret": "-"},
    )
    assert found["contact_number"] == "+14155550100"
    assert "Secret" not in found


def test_a_chosen_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match=r"it has Name, Phone$"):
        rows_of(tmp_path, b"Name,Phone\n", columns={"Handy": "contact_number"})


def test_the_api_never_gets_a_field_that_is_called_id(tmp_path: Path) -> None:
    found = document_of(tmp_path, b"id,document_id,name,phone\n1,a,Ada,+14155550100\n")
    assert found["document_id"] == "a"
    assert found["source_id"] == "1"
    assert "id" not in found


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    found = document_of(tmp_path, b"name,phone,x,x,,x\nAda,+14155550100,1,2,3,4\n")
    assert [found[name] for name in ("x", "x 2", "column 5", "x 3")] == ["1", "2", "3", "4"]


def test_names_that_json_has_to_escape_are_kept(tmp_path: Path) -> None:
    found = document_of(
        tmp_path, b'name,phone,"5"" disk",a\\b,labels\nAda,+14155550100,1,2,"x;y"\n'
    )
    assert (found['5" disk'], found["a\\b"], found["labels"]) == ("1", "2", ["x", "y"])


def test_first_and_last_name_make_a_name(tmp_path: Path) -> None:
    found = document_of(tmp_path, b"Last Name,Phone,First Name\nDay,+14155550100,Ada\n")
    assert found["name"] == "Ada Day"
    assert found["First Name"] == "Ada"


def test_a_number_that_a_spreadsheet_wrote_is_put_right(tmp_path: Path) -> None:
    [row] = rows_of(tmp_path, b"name,phone\nAda,14155550100.0\n")
    assert row.healed
    assert msgspec.json.decode(row.raw)["contact_number"] == "14155550100"


def test_numbers_are_sent_in_the_form_that_the_rules_say(tmp_path: Path) -> None:
    rules = Rules(region="US", send_e164=True)
    found = document_of(tmp_path, b"name,phone\nAda,(415) 555-0100\n", rules=rules)
    assert found["contact_number"] == "+14155550100"


def test_json_passes_byte_by_byte(tmp_path: Path) -> None:
    line = b'{"document_id":"7","name":"Ad\\u0061","contact_number":"+14155550100","x":[1.50,{}]}'
    [row] = rows_of(tmp_path, line + b"\n", "c.jsonl")
    assert row.raw == line


def test_keys_of_json_are_mapped_as_headers_are(tmp_path: Path) -> None:
    line = b'{"ID":"7","Full Name":"Ada","Handy":"+14155550100","x":[1.50],"Secret":1}\n'
    [row] = rows_of(tmp_path, line, "c.jsonl", columns={"Handy": "contact_number", "Secret": "-"})
    assert row.raw == (
        b'{"document_id":"7","name":"Ada","contact_number":"+14155550100","x":[1.50]}'
    )


def test_a_row_knows_its_file_its_line_and_its_cells(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'name,phone\n"A\nB",+14155550100\n Cy ,+14155550101\n')
    assert [row.line for row in rows] == [2, 4]
    assert rows[0].file.endswith("c.csv")
    assert list(rows[1].cells) == ["Cy ", "+14155550101"]
    assert rows[0].text == b'"A\nB",+14155550100\n'


def rejected(source: Path, name: str, *others: Path, **options: Any) -> Path:
    """The file of rejects of a list."""
    path = source.parent / name
    files = [str(each) for each in (source, *others)]
    with RejectsFile(str(path), files) as rejects:
        list(Intake(files, IntakeOptions(**options), rejects=rejects))
    return path


CARELESS = (
    'Navn;Telefon;By\n"A\nB";;Oslo\nZoë;12;Århus\nBo;+14155550101;Bø\nCy;+14155550102;X;more\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_rejects_have_the_columns_delimiter_and_encoding_of_the_list(
    tmp_path: Path, encoding: str
) -> None:
    source = tmp_path / "c.csv"
    chosen = {"Navn": "name", "Telefon": "contact_number"}
    source.write_bytes(CARELESS.encode(encoding))
    path = rejected(source, "rejects.csv", columns=chosen, codec=encoding)
    text = path.read_bytes().decode(encoding)
    header, blank, short, long = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    assert header == ["Navn", "Telefon", "By", "line", "reason"]
    assert blank == ["A\nB", "", "Oslo", "2", "contact_number: must not be blank"]
    assert short[:4] == ["Zoë", "12", "Århus", "4"]
    too_long = "has 4 cells, but the file has 3 columns"
    assert long == ["Cy", "'+14155550102", "X", "6", too_long, "more"]
    assert text.startswith("\ufeff") is False
    mended = text.replace(";12;", ";+14155550103;").replace('B";;', 'B";+14155550104;')
    path.write_bytes(mended.encode(encoding))
    good = [
        row
        for row in Intake([str(path)], IntakeOptions(columns=chosen, codec=encoding))
        if row.good
    ]
    assert [msgspec.json.decode(row.raw) for row in good] == [
        {"document_id": row.document_id, "name": name, "contact_number": number, "By": city}
        for row, (name, number, city) in zip(
            good,
            [("A\nB", "+14155550104", "Oslo"), ("Zoë", "+14155550103", "Århus")],
            strict=True,
        )
    ]


def test_rejects_that_are_rejected_again_keep_their_columns(tmp_path: Path) -> None:
    source = tmp_path / "c.csv"
    source.write_text("name,phone\nAda,\n")
    first = rejected(source, "first.csv")
    assert rejected(first, "second.csv").read_text() == first.read_text()
    objects = tmp_path / "c.jsonl"
    objects.write_text('{"name":"Ada","phone":""}\n')
    first = rejected(objects, "first.jsonl")
    assert first.read_text() == (
        '{"name":"Ada","phone":"","line":1,"reason":"contact_number: must not be blank"}\n'
    )
    assert rejected(first, "second.jsonl").read_text() == first.read_text()


def test_rows_that_were_left_out_stay_so_when_their_rejects_are_sent_again(tmp_path: Path) -> None:
    for name, content in (
        ("c.csv", "name,phone,DNC\nAda,+14155550100,yes\n"),
        ("c.jsonl", '{"name":"Ada","phone":"+14155550100","DNC":true}\n'),
    ):
        (tmp_path / name).write_text(content)
        kept = rejected(tmp_path / name, f"kept-{name}", skip_if=["DNC"])
        [row] = Intake([str(kept)], IntakeOptions())
        assert row.reason.startswith("left out: it was before, too")
        kept.write_text(kept.read_text().replace("left out: DNC is set (--skip-if)", ""))
        [row] = Intake([str(kept)], IntakeOptions())
        assert row.good


@pytest.mark.parametrize("name", ["kept.csv", "kept.jsonl", "kept.xlsx"])
def test_the_name_says_how_rejects_are_written(tmp_path: Path, name: str) -> None:
    table, objects = tmp_path / "c.csv", tmp_path / "c.json"
    table.write_text("name,phone\nAda,=1+1\n")
    objects.write_text(
        '[{"name":"Bo","phone":"x",\n"n":1}, {"name":"Cy","name":"Di","phone":"+1"}]'
    )
    kept = rejected(table, name, objects)
    [view] = Intake([str(kept)], IntakeOptions()).inspect()
    assert view.format == {"csv": "CSV", "jsonl": "JSON Lines", "xlsx": "spreadsheet"}[name[5:]]
    rows = list(Intake([str(kept)], IntakeOptions()))
    assert not any(row.good for row in rows)
    assert len(rows) == 3
    apostrophes = b"".join(row.text for row in rows).count(b"'=1+1")
    assert apostrophes == (name == "kept.csv")


def test_a_row_that_is_no_row_stands_whole_in_its_rejects(tmp_path: Path) -> None:
    source = tmp_path / "c.csv"
    source.write_bytes(b'name,phone\n"Ada,+14155550100\nBo,+14155550101\n')
    kept = rejected(source, "kept.csv")
    [row] = csv.DictReader(io.StringIO(kept.read_text(), newline=""))
    assert (row["name"], row["phone"], row["line"]) == ('"Ada,+14155550100', "", "2")
    [again] = Intake([str(kept)], IntakeOptions())
    assert again.reason == "contact_number: must not be blank"


def test_rejects_that_find_no_room_stop_the_reading_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = tmp_path / "c.csv"
    source.write_bytes(b"name,phone\nAda,\n")
    rejects = RejectsFile(str(tmp_path / "rejects.csv"))
    list(Intake([str(source)], IntakeOptions(), rejects=rejects))
    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(IntakeError, match=r"^cannot write --rejects .*: No space left"):
        rejects.close()
    assert [each.name for each in tmp_path.iterdir()] == ["c.csv"]


def test_what_was_read_is_known_in_bytes(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"name,phone\nAda,+14155550100\n")
    intake = Intake([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")], IntakeOptions())
    assert len(list(intake)) == 2
    assert intake.bytes_read == intake.bytes_total()


def test_a_stream_is_read_as_it_comes(tmp_path: Path) -> None:
    class Trickle(io.RawIOBase):
        left = b'\xef\xbb\xbfname,phone\r\n"A\r\nB",+14155550100\r\nCy,+14155550101'

        def readable(self) -> bool:
            return True

        def readinto(self, room: Any) -> int:
            first, self.left = self.left[:1], self.left[1:]
            memoryview(room)[: len(first)] = first
            return len(first)

    intake = Intake(["-"], IntakeOptions(), stdin=io.BufferedReader(Trickle()))
    assert [(row.line, row.reason) for row in intake] == [(2, ""), (4, "")]
    assert intake.bytes_total() is None


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    note = "x" * 400
    with path.open("w") as file:
        file.write("document_id,name,phone,note\n")
        file.writelines(f"crm-{n},Ada {n},+1415{n:07d},{note}\n" for n in range(30_000))
    intake = Intake([str(path)], IntakeOptions())
    tracemalloc.start()
    assert sum(row.good for row in intake) == 30_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Two sets of 65,536 shelves stand for most of it; the file has 14 MB.
    assert peak < 13_000_000


def test_what_was_seen_is_known_again_among_many() -> None:
    seen = SeenTexts()
    texts = [f"crm-{n}" for n in range(200_000)]
    for start in range(0, len(texts), 500):
        assert seen.add(texts[start : start + 500]) == (500, None)
    for number in range(0, len(texts), 1000):
        assert seen.add(["new", texts[number], "newer"]) == (1, number)
        seen.take_back(1)
    assert seen.add(["another", "one more", "another"]) == (2, 200_000)
    seen.take_back(1)
    assert seen.add(["one more"]) == (1, None)
    assert seen.add(["one more"]) == (0, 200_001)


def test_room_for_all_rows_of_a_file_is_made_at_once() -> None:
    asked = []

    def expect(count: int) -> int:
        asked.append(count)
        return 600_000

    seen = SeenTexts(expect)
    for start in range(0, 300_000, 500):
        seen.add([f"crm-{n}" for n in range(start, start + 500)])
    assert len(asked) == 1
    assert seen.add(["crm-7"]) == (0, 7)
    assert seen.add(["crm-299999"]) == (0, 299_999)


def test_rows_are_remembered_by_file_line_and_id() -> None:
    rows = EarlierRows(note=2)
    kept = [
        EarlierRow(f"{n // 30_000}.csv", n, f"crm-{n}" if n % 3 else "", (n % 7).to_bytes(2))
        for n in range(90_000)
    ]
    for start in range(0, len(kept), 300):
        file, lines, ids, noted = zip(*kept[start : start + 300], strict=True)
        rows.add(file[0], lines, ids, noted)
    rows.add("x.csv", [1_000_000_000, 5_000_000_001], ["Ü" * 100, "last"], [b"ab", b"cd"])
    assert [rows.at(number) for number in range(len(kept))] == kept
    assert rows.at(90_000) == ("x.csv", 1_000_000_000, "Ü" * 40, b"ab")
    assert rows.at(90_001) == ("x.csv", 5_000_000_001, "last", b"cd")
    rows.add("y.csv", [1], [""], [b"ef"])
    assert rows.at(90_001) == ("x.csv", 5_000_000_001, "last", b"cd")
