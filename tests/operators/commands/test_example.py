"""The example of the repository is what its script makes, and touches nobody."""

import importlib.util
from collections import Counter
from pathlib import Path

from phonenumbers import is_possible_number, parse

from callspool_operators.lists import Intake, IntakeOptions


def test_the_script_makes_the_file_again(example: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make", example.with_name("make_contacts.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = [module.HEADER, *module.rows()]
    assert len(made) - 1 == 1197
    path = tmp_path / "again.csv"
    module.write(path)
    assert path.read_bytes() == example.read_bytes()


def test_the_example_has_duplicates_and_bad_rows_of_several_kinds(example: Path) -> None:
    intake = Intake([str(example)], IntakeOptions())
    rows = list(intake)
    assert (intake.counts.good, intake.counts.duplicate, intake.counts.invalid) == (1150, 23, 24)
    kinds = Counter(row.reason for row in rows if row.reason)
    assert len(kinds) == 6


def test_every_number_of_the_example_is_reserved_for_fiction(example: Path) -> None:
    for row in Intake([str(example)], IntakeOptions()):
        if not row.reason:
            number = row.cells[2]
            digits = "".join(filter(str.isdigit, number))
            assert is_possible_number(parse(number))
            assert (
                (digits[0] == "1" and digits[4:8] == "5550" and digits[8] == "1")
                or digits.startswith(("44207946", "447700900"))
                or digits
                in {f"61491570{end}" for end in ("006", "110", "156", "157", "158", "159")}
            ), "a number that may belong to somebody"
