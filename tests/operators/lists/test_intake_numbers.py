"""What lists hold in their cells of numbers and ids, and how callspool reads it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from callspool.request.checks import Rules
from callspool_operators.lists import Intake, IntakeOptions, Likeness, Row

MARKS = ["\ufeff", "\u200b", "\u200e", "\u202a", "\u2068", "\ufe0f", "\u00ad", "\u00a0", "\u202f"]


def intake_of(tmp_path: Path, text: str, name: str = "c.csv", **options: Any) -> Intake:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return Intake([str(path)], IntakeOptions(**options))


def rows_of(tmp_path: Path, text: str, name: str = "c.csv", **options: Any) -> list[Row]:
    return [*intake_of(tmp_path, text, name, **options)]


def fields_of(row: Row) -> dict[str, Any]:
    assert row.good, row.verdict
    found: dict[str, Any] = msgspec.json.decode(row.raw)
    return found


def cell_of(tmp_path: Path, cell: str, region: str | None) -> dict[str, Any] | str:
    """The document of a list whose one number is this cell, or the reason why it is refused."""
    quoted = cell.replace('"', '""')
    [row] = rows_of(tmp_path, f'name,phone\nAda,"{quoted}"\n', rules=Rules(region))
    return row.reason or fields_of(row)


@pytest.mark.parametrize(
    ("cell", "region", "sent"),
    [
        ("070 174 06 05 hem", "SE", "+46701740605"),
        ("070 174 06 05 (Axel)", "SE", "+46701740605"),
        ("030 23125037 Mo-Fr", "DE", "+493023125037"),
        ("030 23125037 priv.", "DE", "+493023125037"),
        ("+1 415 555 0100 (ask for Bob)", None, "+1 415 555 0100"),
        ("+1 415 555 0100 - work", None, "+1 415 555 0100"),
        ("(415) 555-0100 cell", "US", "+14155550100"),
        ("+44 7700 900123 m", None, "+44 7700 900123"),
        ("070 174 06 05 hem", None, "070 174 06 05"),
    ],
)
def test_a_plain_note_behind_a_whole_number_is_left_out_and_told(
    tmp_path: Path, cell: str, region: str | None, sent: str
) -> None:
    intake = intake_of(tmp_path, f"name,phone\nAda,{cell}\n", rules=Rules(region))
    [row] = intake
    assert fields_of(row) == {
        "name": "Ada",
        "contact_number": sent,
        "document_id": row.document_id,
    }
    assert (intake.counts.notes, intake.counts.second_numbers) == (1, 0)


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("+1 415 555 XXXX", None),
        ("+44 7700 900 XXX", None),
        ("+44 7700 900XXX", None),
        ("+44 7700 9O0124", None),
        ("+49 30 2312503 O", None),
        ("+49 30 2312 OIO", None),
        ("+49 800 FLOWERS", None),
        ("030 23125038 HOME", "DE"),
        ("1-800-FLOWERS", "US"),
        ("555-0100 home", None),
        ("+1 415 555 0100 ext", None),
        ("+1 415 555 0100 x12 home", None),
        ("030 23125037 Mo-Fr 9-17", "DE"),
        ("Axel 070 174 06 05", "SE"),
    ],
)
def test_words_that_may_be_part_of_the_number_refuse_the_row(
    tmp_path: Path, cell: str, region: str | None
) -> None:
    reason = cell_of(tmp_path, cell, region)
    assert isinstance(reason, str)
    assert reason.startswith("contact_number: is not a phone number: it holds letters (")


@pytest.mark.parametrize(
    "note",
    [
        *("DNC", "(do not call)", "WRONG NUMBER", "- disconnected", "Fax", "TPS", "unsub", "stop"),
        *("old", "(old number)", "no longer works here", "alte Nummer", "verstorben", "décédé"),
        *("não ligar", "non chiamare", "niet bellen", "slutat", "не звонить", "勿打"),
    ],
)
def test_a_note_that_forbids_the_call_refuses_the_row(tmp_path: Path, note: str) -> None:
    reason = cell_of(tmp_path, f"+1 415 555 0100 {note}", None)
    assert isinstance(reason, str)
    assert reason.startswith("contact_number: is not to be called, says the note behind it (")


@pytest.mark.parametrize("note", ["Old Street office", "alt", "left message", "mama"])
def test_a_note_that_resembles_one_of_them_forbids_nothing(tmp_path: Path, note: str) -> None:
    assert isinstance(cell_of(tmp_path, f"+1 415 555 0100 {note}", None), dict)


@pytest.mark.parametrize("region", [None, "US"])
@pytest.mark.parametrize("cell", ["2222222222", "+1 999-999-9999", "5555555555", "+1 1111111111"])
def test_a_number_of_one_digit_alone_is_called_by_nobody(
    tmp_path: Path, cell: str, region: str | None
) -> None:
    reason = "contact_number: stands for no number: all of its digits are the same"
    assert cell_of(tmp_path, cell, region) == reason
    [row] = rows_of(tmp_path, f'{{"name":"Ada","contact_number":"{cell}"}}\n', "c.jsonl")
    assert row.reason == reason


def test_a_number_that_only_ends_in_one_digit_is_called(tmp_path: Path) -> None:
    assert isinstance(cell_of(tmp_path, "+1 415 555 5555", None), dict)


@pytest.mark.parametrize("stand_in", ["n/a", "N/A", "#N/A", "-", "NULL", "none", "nan", "?"])
def test_what_stands_for_nothing_is_no_id_and_no_number(tmp_path: Path, stand_in: str) -> None:
    text = f"id,name,phone,mobile\n{stand_in},Ada,{stand_in},+14155550100\n"
    intake = intake_of(tmp_path, f"{text}{stand_in},Bo,+14155550101,{stand_in}\n")
    ada, bo = map(fields_of, intake)
    assert ada["contact_number"] == "+14155550100"
    assert ada["document_id"] != bo["document_id"]
    assert intake.counts.other_columns == 1
    objects = f'''{{"id":"{stand_in}","name":"Ada","phone":"{stand_in}","mobile":"+14155550100"}}
{{"id":"{stand_in}","name":"Bo","phone":"+14155550101"}}'''
    other = [fields_of(row)["document_id"] for row in rows_of(tmp_path, objects, "c.jsonl")]
    assert other == [ada["document_id"], bo["document_id"]]


def test_numbers_of_json_are_read_as_texts(tmp_path: Path) -> None:
    good = '{"id":7,"name":"Ada","phone":14155550100}\n{"id":8.0,"name":"Bo","phone":14155550101.0}'
    found = [*map(fields_of, rows_of(tmp_path, good, "c.jsonl"))]
    assert [each["document_id"] for each in found] == ["7", "8"]
    assert [each["contact_number"] for each in found] == ["14155550100", "14155550101"]
    [row] = rows_of(tmp_path, '{"name":"Ada","contact_number":1.41555501E10}', "c.jsonl")
    assert "shortened" in row.reason


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.csv", "name,Phone,Mobile Phone,Fax\nAda,+14155550100,,\nBo, ,+14155550101,1\nCy,,,1\n"),
        (
            "c.jsonl",
            (
                '{"name":"Ada","Phone":"+14155550100","Mobile Phone":"","Fax":""}\n'
                '{"name":"Bo","Phone":" ","Mobile Phone":"+14155550101","Fax":"1"}\n'
                '{"name":"Cy","Phone":null,"Mobile Phone":"","Fax":"1"}\n'
            ),
        ),
    ],
)
def test_a_row_without_a_number_is_called_at_the_one_of_another_column(
    tmp_path: Path, name: str, text: str
) -> None:
    intake = intake_of(tmp_path, text, name)
    ada, bo, cy = intake
    assert fields_of(ada)["contact_number"] == "+14155550100"
    assert fields_of(bo)["contact_number"] == "+14155550101"
    assert "alternate_number" not in fields_of(bo)
    assert cy.reason.startswith("contact_number: must ")
    assert (intake.counts.good, intake.counts.other_columns) == (2, 1)


def test_a_column_that_was_chosen_for_something_else_is_called_by_nobody(tmp_path: Path) -> None:
    text = "name,Phone,Mobile\nAda,,+14155550100\n"
    for field in ("-", "about"):
        [row] = rows_of(tmp_path, text, columns={"Mobile": field})
        assert row.reason == "contact_number: must not be blank"


@pytest.mark.parametrize(
    ("cell", "region", "sent", "second"),
    [
        ("030 23125027 / 030 23125028", "DE", "+493023125027", "030 23125028"),
        ("98765 43210, 98765 43211", "IN", "+919876543210", "98765 43211"),
        ("98765 43210 98765 43211", "IN", "+919876543210", "98765 43211"),
        ("+1 415-555-0100 ::: +1 415-555-0101", None, "+1 415-555-0100", "+1 415-555-0101"),
        ("+14155550100+14155550101", None, "+14155550100", "+14155550101"),
        ("+14155550100\n+14155550101", None, "+14155550100", "+14155550101"),
        ("Home: +14155550100, Work: +14155550101", None, "+14155550100", "+14155550101"),
        ("+14155550100 home; +14155550101 work", None, "+14155550100", "+14155550101"),
        ("555-0100/555-0101", None, "555-0100", "555-0101"),
        ("+1 415-555-0100 or (415) 555-0101", None, "+1 415-555-0100", "+14155550101"),
        ("+44 7700 900123 / 07700 900124", None, "+44 7700 900123", "+447700900124"),
    ],
)
def test_of_two_whole_numbers_the_second_becomes_the_alternate_and_that_is_told(
    tmp_path: Path, cell: str, region: str | None, sent: str, second: str
) -> None:
    intake = intake_of(tmp_path, f'name,phone\nAda,"{cell}"\n', rules=Rules(region))
    [row] = intake
    found = fields_of(row)
    assert (found["contact_number"], found["alternate_number"]) == (sent, second)
    assert (intake.counts.notes, intake.counts.second_numbers) == (0, 1)


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("030 23125014 / 15", "DE"),
        ("030 23125033 u. 34", "DE"),
        ("030 23125014, 46", "DE"),
        ("+91-98765-43210/43211", None),
        ("+14155550100 / +14155550101 / +14155550102", None),
    ],
)
def test_a_second_number_that_is_not_whole_refuses_the_row(
    tmp_path: Path, cell: str, region: str | None
) -> None:
    reason = cell_of(tmp_path, cell, region)
    assert isinstance(reason, str)
    assert "numbers" in reason


def test_a_second_number_has_no_place_beside_an_alternate_number(tmp_path: Path) -> None:
    text = "name,phone,phone 2\nAda,+14155550100 / +14155550101,+14155550102\n"
    [row] = rows_of(tmp_path, text)
    assert "two numbers" in row.reason


def test_the_same_number_twice_in_a_cell_is_one(tmp_path: Path) -> None:
    found = cell_of(tmp_path, "+14155550100 / 0014155550100", None)
    assert isinstance(found, dict)
    assert found["contact_number"] == "+14155550100"
    assert "alternate_number" not in found


def test_json_is_read_as_cells_are(tmp_path: Path) -> None:
    text = (
        '{"id":"\\u200b12.0","name":"Ada","phone":"070 174 06 05 hem"}\n'
        '\ufeff{"id":"13","name":"Bo","phone":"070-174 06 06 / 070-174 06 07"}\n'
    )
    first, second = rows_of(tmp_path, text, "c.jsonl", rules=Rules("SE"))
    assert fields_of(first) == {
        "document_id": "12",
        "name": "Ada",
        "contact_number": "+46701740605",
    }
    assert fields_of(second)["alternate_number"] == "070-174 06 07"


def test_one_number_in_several_spellings_is_one_contact(tmp_path: Path) -> None:
    spellings = ["+14155550100", "14155550100", "0014155550100", "1 (415) 555-0100"]
    rows = rows_of(tmp_path, "name,phone\n" + "".join(f"Ada,{one}\n" for one in spellings))
    assert [row.duplicate for row in rows] == [None, *[Likeness.CONTACT] * 3]


@pytest.mark.parametrize("mark", MARKS)
def test_marks_that_nobody_sees_are_no_part_of_an_id_or_a_number(tmp_path: Path, mark: str) -> None:
    text = f"id,name,phone\n{mark}7{mark},Ada,{mark}+1415555{mark}0100{mark}\n7,Ada,+14155550100\n"
    first, second = rows_of(tmp_path, text)
    assert first.document_id == "7"
    assert second.duplicate is Likeness.CONTACT


@pytest.mark.parametrize("mark", ["\ufeff", "\u200b"])
def test_a_mark_at_the_start_of_any_line_opens_no_cell(tmp_path: Path, mark: str) -> None:
    text = f'id,name,phone\n1,Ada,+14155550100\n{mark}"2","Bo, Jr",+14155550101\n'
    rows = rows_of(tmp_path, text)
    assert [row.document_id for row in rows] == ["1", "2"]
    assert fields_of(rows[1])["name"] == "Bo, Jr"


@pytest.mark.parametrize(
    ("column", "chosen"),
    [
        ("T\u00e9l\u00e9phone", "Te\u0301le\u0301phone"),
        ("Te\u0301le\u0301phone", "T\u00e9l\u00e9phone"),
        ("\u200bRufnummer\u00a0privat", "Rufnummer privat"),
        ("Rufnummer privat", "\u202aRufnummer\u202fprivat\u202c"),
    ],
)
def test_map_finds_a_column_however_its_name_is_coded(
    tmp_path: Path, column: str, chosen: str
) -> None:
    text = f"name,{column}\nAda,+14155550100\n"
    [row] = rows_of(tmp_path, text, columns={chosen: "contact_number"})
    assert fields_of(row)["contact_number"] == "+14155550100"


@pytest.mark.parametrize(
    "written", ["12.0", "12,0", "12.00", "12.", " 12 ", "12", "'12", '=""12""', "\uff11\uff12"]
)
def test_an_id_is_the_same_however_a_spreadsheet_writes_it(tmp_path: Path, written: str) -> None:
    [row] = rows_of(tmp_path, f'id,name,phone\n"{written}",Ada,+14155550100\n')
    assert row.document_id == fields_of(row)["document_id"] == "12"


@pytest.mark.parametrize("written", ["12,000", "12.5", "v12.0", "1.2.0", "12.000"])
def test_other_ids_stay_as_they_are(tmp_path: Path, written: str) -> None:
    [row] = rows_of(tmp_path, f'id,name,phone\n"{written}",Ada,+14155550100\n')
    assert row.document_id == written


@pytest.mark.parametrize("name", ["c.csv", "c.jsonl"])
def test_a_prefix_stands_before_every_id_that_a_row_gives(tmp_path: Path, name: str) -> None:
    text = "id,name,phone\n7,Ada,+14155550100\n,Bo,+14155550101\n"
    if name == "c.jsonl":
        text = (
            '{"id":"7","name":"Ada","phone":"+14155550100"}\n{"name":"Bo","phone":"+14155550101"}\n'
        )
    first, second = rows_of(tmp_path, text, name, id_prefix="tue-")
    assert first.document_id == fields_of(first)["document_id"] == "tue-7"
    assert second.document_id.startswith("tel-")
