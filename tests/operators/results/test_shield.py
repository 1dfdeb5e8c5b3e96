"""Cells that are safe in a spreadsheet, and come back from one as they went."""

import csv
import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool_operators.lists import Intake, IntakeOptions
from callspool_operators.lists.delimited import shield, shielded_row, unshield
from callspool_operators.lists.outfile import Dialect, OutFile, OutPlace

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("  @SUM(A1)", "'  @SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("+14155550100", "'+14155550100"),
        ("\tx", "'\tx"),
        ("00417", "'00417"),
        ("914155550100", "'914155550100"),
        ("12E5", "'12E5"),
        ("Ada;=1+1", "Ada;'=1+1"),
        ("Ada,=1+1", "Ada,=1+1"),
        ("=Ada,=1+1", "'=Ada,=1+1"),
        ("4155550100", "4155550100"),
        ("0", "0"),
        ("'t Hooft", "'t Hooft"),
        ("Ada = Bob", "Ada = Bob"),
        ("", ""),
    ],
)
def test_a_cell_is_text_for_every_spreadsheet_and_itself_again_when_read(
    cell: str, written: str
) -> None:
    assert shield(cell) == written
    assert unshield(written) == cell


@given(
    st.lists(st.text(st.sampled_from("=+-@'0129eE,;|\t\r\n ab")), max_size=4),
    st.sampled_from(",;|\t"),
)
def test_no_cell_starts_a_formula_and_each_comes_back(cells: list[str], delimiter: str) -> None:
    written = shielded_row(cells, delimiter)
    assert written == [shield(cell, delimiter) for cell in cells]
    for cell, text in zip(cells, written, strict=True):
        assert not text.lstrip(" ").startswith(DANGEROUS)
        assert shield(text, delimiter) == text
        # An apostrophe that was there already may be taken for ours, but never a bare cell.
        assert unshield(text) == cell or "'" in cell


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_no_spreadsheet_with_another_delimiter_finds_a_formula(
    delimiter: str, tmp_path: Path
) -> None:
    cells = ["x,=1+1", "x; +1", "x|@y", "=x,-1", "end"]
    path = tmp_path / "out.csv"
    with OutFile(OutPlace(str(path)), Dialect(delimiter)) as out:
        out.write([cells])
        out.finish()
    text = path.read_text()
    for other in ",;|\t":
        [row] = csv.reader(io.StringIO(text), delimiter=other)
        assert not [cell for cell in row if cell.strip(" ").startswith(DANGEROUS)]
    [row] = csv.reader(io.StringIO(text), delimiter=delimiter)
    assert [*map(unshield, row)] == cells


def test_a_list_with_shielded_cells_names_the_same_contacts(tmp_path: Path) -> None:
    cells = ["00417", "Ada", "+14155550100", "=note", "'s Hertogenbosch"]
    path = tmp_path / "out.csv"
    with OutFile(OutPlace(str(path))) as out:
        out.write([["id", "name", "phone", "note", "address"], cells])
        out.finish()
    assert "'00417,Ada,'+14155550100,'=note,'s Hert" in path.read_text()
    [row] = Intake([str(path)], IntakeOptions())
    assert row.document_id == "00417"
    assert msgspec.json.decode(row.raw) == {
        "document_id": "00417",
        "name": "Ada",
        "contact_number": "+14155550100",
        "note": "=note",
        "address": "'s Hertogenbosch",
    }


def test_raw_cells_are_for_programs(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with OutFile(OutPlace(str(path)), raw=True) as out:
        out.write([["=1", "+14155550100"]])
        out.finish()
    assert list(csv.reader(io.StringIO(path.read_text()))) == [["=1", "+14155550100"]]
    assert path.stat().st_mode & 0o077 == 0
