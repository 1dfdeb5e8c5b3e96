"""Spreadsheets are read as they are: full digits, any letters, the sheet that is meant."""

import io
import zipfile
from pathlib import Path

import msgspec
import pytest
import xlsxwriter

from callspool.errors import CallspoolError
from callspool_operators.lists import Intake, IntakeError, IntakeOptions, containers
from callspool_operators.lists.outfile import OutPlace, SheetFile
from tests.operators.conftest import Call

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
Rows = list[list[str | int]]
PEOPLE: Rows = [
    ["Customer No.", "Name", "Phone"],
    [12, "Jörg Müller", 14155550100],
    [13, 'Bo "B", Jr', "+14155550101"],
]


def cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    text = value.replace('"', "&quot;")
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def sheet_xml(rows: Rows) -> str:
    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{lines}</sheetData></worksheet>'


def workbook(**named: Rows) -> bytes:
    """An .xlsx file with these sheets."""
    places = list(enumerate(named, 1))
    sheets_xml = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="rId{i}"/>' for i, n in places)
    links = "".join(
        f'<Relationship Id="rId{i}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i, _ in places
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{TYPES}"></Types>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1"'
            f' Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">'
            f"<sheets>{sheets_xml}</sheets></workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}">{links}</Relationships>',
        )
        for i, name in places:
            archive.writestr(f"xl/worksheets/sheet{i}.xml", sheet_xml(named[name]))
    return out.getvalue()


OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
OPEN_TYPE = "application/vnd.oasis.opendocument.spreadsheet"


def open_cell(value: str | int) -> str:
    kind, words = "string", value
    if isinstance(value, int):
        kind, words = f'float" office:value="{value}', "1.2E+01"
    return (
        f'<table:table-cell office:value-type="{kind}"><text:p>{words}</text:p></table:table-cell>'
    )


def open_workbook(rows: Rows) -> bytes:
    """An .ods file with one sheet."""
    cells = ("".join(map(open_cell, row)) for row in rows)
    lines = "".join(f"<table:table-row>{each}</table:table-row>" for each in cells)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", OPEN_TYPE, zipfile.ZIP_STORED)
        archive.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{OFFICE}:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{OPEN_TYPE}"/>'
            "</manifest:manifest>",
        )
        archive.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{OFFICE}:office:1.0"'
            f' xmlns:table="{OFFICE}:table:1.0" xmlns:text="{OFFICE}:text:1.0"><office:body>'
            f'<office:spreadsheet><table:table table:name="People">{lines}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return out.getvalue()


def contacts(path: Path, sheet: str | None = None) -> list[tuple[str, str, str]]:
    rows = list(Intake([str(path)], IntakeOptions(sheet=sheet)))
    assert all(row.good for row in rows)
    found = [msgspec.json.decode(row.raw) for row in rows]
    return [(each["document_id"], each["name"], each["contact_number"]) for each in found]


def test_the_first_sheet_is_read_with_all_digits_and_letters(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    path.write_bytes(workbook(People=PEOPLE, More=[["x"]]))
    assert [row[:2] for row in contacts(path)] == [("12", "Jörg Müller"), ("13", 'Bo "B", Jr')]
    assert contacts(path)[0][2].lstrip("+") == "14155550100"
    [view] = Intake([str(path)], IntakeOptions()).inspect()
    assert view.format == "spreadsheet, sheet 'People' of 2"


def test_a_hidden_sheet_is_read_only_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, number in (("Old", "+14155550199"), ("New", "+14155550100")):
            sheet = book.add_worksheet(name)
            for row, cells in enumerate([("id", "name", "phone"), ("7", name, number)]):
                sheet.write_row(row, 0, cells)
        book.get_worksheet_by_name("New").activate()
        book.get_worksheet_by_name("Old").hide()
    assert contacts(path) == [("7", "New", "+14155550100")]
    assert contacts(path, "Old") == [("7", "Old", "+14155550199")]


def test_another_sheet_is_read_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    more: Rows = [["A title"], ["id", "Name", "Phone"], ["7", "Cy", "+14155550102"]]
    path.write_bytes(workbook(People=PEOPLE, More=more))
    assert contacts(path, "More") == [("7", "Cy", "+14155550102")]
    with pytest.raises(IntakeError, match="no sheet 'Nope': it has People, More"):
        contacts(path, "Nope")


@pytest.mark.parametrize("name", ["people.xlsx", "people.ods"])
def test_a_spreadsheet_comes_through_the_command(call: Call, name: str) -> None:
    people = [*PEOPLE, [14, "Cy", ""]]
    made = workbook(People=people) if name.endswith("x") else open_workbook(people)
    Path(name).write_bytes(made)
    flags = ("--dry-run", "--redis", "redis://127.0.0.1:1", "--region", "US")
    seen = call("send", name, *flags, "--rejects", "kept.xlsx", "--json").json
    assert seen["documents"]["valid"] == 2
    assert seen["first_document"]["document_id"] == "12"
    assert seen["files"][0]["format"] == "spreadsheet"
    [kept] = Intake(["kept.xlsx"], IntakeOptions())
    assert list(kept.cells) == ["14", "Cy", "", "4", "contact_number: must not be blank"]


def test_a_first_sheet_without_a_list_names_the_others(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    empty: Rows = []
    for cover in ([["Report of November"]], empty):
        path.write_bytes(workbook(Cover=cover, People=PEOPLE, More=[["x"]]))
        with pytest.raises(IntakeError, match="another of its sheets: 'People', 'More'"):
            contacts(path)
        assert len(contacts(path, "People")) == 2


def test_a_number_of_which_a_sheet_has_lost_digits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    lost = [123456789012345678, "Cy", "+14155550102"]
    path.write_bytes(workbook(People=[*PEOPLE, lost]))
    *_, row = Intake([str(path)], IntakeOptions())
    assert row.reason.startswith("document_id: a spreadsheet has shortened it")


def test_a_spreadsheet_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MAX_UNPACKED", 1000)
    path = tmp_path / "people.xlsx"
    path.write_bytes(workbook(People=PEOPLE * 100))
    with pytest.raises(IntakeError, match="unpacks to more than"):
        contacts(path)


def test_a_foreign_spreadsheet_with_a_cell_far_away_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "name")
        sheet.write(1_048_575, 16_383, "far away")
    with pytest.raises(IntakeError, match="512 MiB or 20 s"):
        list(Intake([str(path)], IntakeOptions(is_foreign=True)))


def test_a_foreign_spreadsheet_is_read_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    path.write_bytes(workbook(People=PEOPLE, More=[["x"]]))
    options = IntakeOptions(is_foreign=True)
    assert [row.raw for row in Intake([str(path)], options)] == [
        row.raw for row in Intake([str(path)], IntakeOptions())
    ]
    path.write_bytes(workbook(Cover=[["Report"]], People=PEOPLE))
    with pytest.raises(IntakeError, match="another of its sheets: 'People'"):
        list(Intake([str(path)], options))


def test_archives_and_documents_are_named(tmp_path: Path) -> None:
    path = tmp_path / "list.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("list.csv", "name,phone\n")
    with pytest.raises(IntakeError, match="an archive"):
        contacts(path)
    path.write_bytes(workbook(People=PEOPLE)[:-30])
    with pytest.raises(IntakeError, match="a damaged spreadsheet"):
        contacts(path)


def test_answers_as_a_spreadsheet_hold_text_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers.xlsx"
    with SheetFile(OutPlace(str(path))) as out:
        out.write([["id", "Name", "Phone", "state"]])
        out.write([["007", "=1+1", "+14155550100", "created"]])
        assert not path.exists()
        out.finish()
    assert contacts(path) == [("007", "=1+1", "+14155550100")]
    assert [each.name for each in tmp_path.iterdir()] == ["answers.xlsx"]
    with pytest.raises(CallspoolError, match="would overwrite the list itself"):
        SheetFile(OutPlace(str(path), [str(path)]))
