"""Lists as they really are come back whole: each row once, with the answer that is its own."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.request.checks import Rules
from callspool.request.identity import Scope
from callspool_ledger.reads.views import DocumentStatus
from callspool_operators.lists import Intake, IntakeError, IntakeOptions
from callspool_operators.lists.grid import Grid, Inputs
from callspool_operators.lists.outfile import OutFile, OutPlace
from callspool_operators.lists.results import ANSWERS, Answers
from tests.operators.lists.nasty_encodings import OTHER_FILES
from tests.operators.lists.nasty_files import NASTY_FILES, Nasty

SCOPE = Scope("default", "8KZ")


def find_nothing(
    digests: Sequence[bytes], document_ids: Sequence[str], numbers: Sequence[bytes]
) -> list[DocumentStatus | None]:
    assert len(digests) == len(document_ids) == len(numbers)
    return [None] * len(digests)


def give_back(path: Path, out: Path, options: IntakeOptions) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of what comes back, as a spreadsheet reads them."""
    with (
        Inputs([str(path)], io.BytesIO()) as inputs,
        OutFile(OutPlace(str(out), [str(path)])) as written,
    ):
        grid = Grid.of(inputs, options.columns)
        answers = Answers(find_nothing, SCOPE, [str(path)], "never sent")
        rows = list(Intake([str(path)], with_memory(options, answers)))
        written.write([[*grid.headers, *ANSWERS]])
        written.write([*grid.cells(each.row), *each.cells] for each in answers.of(rows))
        written.finish()
    limit = csv.field_size_limit(16 * 1024 * 1024)
    try:
        with out.open(encoding="utf-8", newline="") as file:
            header, *found = csv.reader(file)
    finally:
        csv.field_size_limit(limit)
    return header, found


def with_memory(options: IntakeOptions, answers: Answers) -> IntakeOptions:
    return IntakeOptions(
        rules=options.rules,
        columns=options.columns,
        allow_shared_numbers=options.allow_shared_numbers,
        memory=answers.memory(),
    )


@pytest.mark.parametrize(
    "nasty", NASTY_FILES + OTHER_FILES, ids=lambda nasty: nasty.suffix + " " + nasty.title
)
def test_a_nasty_list_comes_back_row_by_row(nasty: Nasty, tmp_path: Path) -> None:
    path = tmp_path / f"contacts{nasty.suffix}"
    path.write_bytes(nasty.content)
    options = IntakeOptions(
        rules=Rules(region=nasty.region),
        columns=nasty.columns,
        allow_shared_numbers=nasty.shared,
    )
    header, rows = give_back(path, tmp_path / "out.csv", options)
    assert len(rows) == nasty.good + nasty.duplicate + nasty.invalid
    assert {len(row) for row in rows} <= {len(header)}
    state, duplicate_of, line = (header.index(name) for name in ("state", "duplicate_of", "line"))
    states = [row[state] for row in rows]
    assert states.count("invalid") == nasty.invalid
    assert sum(row[duplicate_of] != "" for row in rows) == nasty.duplicate
    lines = [int(row[line]) for row in rows]
    assert lines == sorted(lines)
    for row in rows:
        if row[duplicate_of]:
            assert int(row[duplicate_of].removeprefix("line ")) in lines[: rows.index(row)]


CELLS = st.text(st.sampled_from("=+-@'\"01459.eE;,\t\r\n abZ{}[]:é"), max_size=12)


@given(st.lists(st.lists(CELLS, max_size=4), max_size=6), st.sampled_from([".csv", ".jsonl"]))
def test_any_list_at_all_comes_back_safe_for_a_spreadsheet(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], suffix: str
) -> None:
    directory = tmp_path_factory.mktemp("list")
    path = directory / f"list{suffix}"
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("id,name,phone,note\n")
        csv.writer(file).writerows(table)
    try:
        expected = len(list(Intake([str(path)], IntakeOptions())))
        _, rows = give_back(path, directory / "out.csv", IntakeOptions())
    except IntakeError:
        return
    assert len(rows) == expected
    assert not [cell for row in rows for cell in row if cell.lstrip(" ").startswith(tuple("=+-@"))]
