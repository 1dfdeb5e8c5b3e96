"""What `results` wrote is a list again: its ids are those under which its rows were sent."""

import csv
import io
import json
from pathlib import Path

import pytest

from callspool_operators.lists import Intake, IntakeOptions
from callspool_operators.lists.outfile import OutPlace, SheetFile
from callspool_operators.lists.row import ANSWERS
from tests.operators.results.conftest import GiveBack
from tests.support.ledgers import LedgerUnderTest

LIST = "Ref,id,state,Name,Phone\nmade,x1,CA,Ada,+14155550100\nlost,x2,NY,Bob,+14155550101\n"
MAPPED = {"Ref": "document_id"}


def documents(
    path: Path, columns: dict[str, str] | None = None, prefix: str = ""
) -> list[dict[str, object]]:
    """What would be sent of a list, by its order."""
    intake = Intake([str(path)], IntakeOptions(columns=columns or {}, id_prefix=prefix))
    return [json.loads(row.raw) | {"document_id": row.document_id} for row in intake if row.good]


def ids(path: Path, columns: dict[str, str] | None = None, prefix: str = "") -> list[object]:
    return [each["document_id"] for each in documents(path, columns, prefix)]


@pytest.mark.parametrize("ending", ["csv", "xlsx", "jsonl"])
def test_rows_that_came_back_have_the_ids_of_the_list_itself(
    spool: LedgerUnderTest, give_back: GiveBack, tmp_path: Path, ending: str
) -> None:
    path, again = tmp_path / "list.csv", tmp_path / f"again.{ending}"
    path.write_text(LIST)
    _, rows = give_back(path, "--map", "Ref=document_id")
    if ending == "csv":
        text = (tmp_path / "out.csv").read_text()
        assert "callspool_state,reason,callspool_document_id" in text
    else:
        bare = [{key: cell.removeprefix("'") for key, cell in row.items()} for row in rows]
        text = "".join(f"{json.dumps(row)}\n" for row in bare)
    if ending == "xlsx":
        with SheetFile(OutPlace(str(again))) as sheet:
            sheet.write([[*bare[0]], *([*row.values()] for row in bare)])
            sheet.finish()
    else:
        again.write_text(text)
    assert ids(again) == ids(again, MAPPED) == ids(path, MAPPED) == ["made", "lost"]
    sent = set(documents(again)[0])
    assert sent == {"Ref", "state", "name", "contact_number", "document_id"}


def test_ids_that_came_back_get_no_second_prefix(
    spool: LedgerUnderTest, give_back: GiveBack, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    for text, columns in ((LIST, MAPPED), ("Name,Phone\nAda,+14155550100\n", {})):
        path.write_text(text)
        flags = [flag for each in columns.items() for flag in ("--map", "=".join(each))]
        give_back(path, *flags, "--id-prefix", "p-")
        assert ids(tmp_path / "out.csv", prefix="p-") == ids(path, columns, "p-")


def test_a_row_without_an_id_from_before_has_that_of_its_own_column(tmp_path: Path) -> None:
    path = tmp_path / "again.csv"
    path.write_text(
        "Kd-Nr,Name,Phone,callspool_document_id,callspool_document_id_2,callspool_outcome\n"
        "1,Ada,+14155550100,a,,busy\n2,Bob,+14155550101,,,\n3,Cy,+14155550102,c,d,\n"
    )
    assert ids(path) == ["a", "2", "d"]
    assert "callspool_outcome" not in documents(path)[0]
    assert ids(path, {"callspool_document_id": "-", "callspool_document_id_2": "-"})[0] == "1"


def test_columns_of_the_list_with_some_of_these_names_stay_its_own(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    out, some = io.StringIO(), ANSWERS[:-1]
    csv.writer(out).writerows([["Name", "Phone", *some], ["A", "+14155550100", *some]])
    path.write_text(out.getvalue())
    assert {"state", "outcome"} < set(documents(path)[0])
