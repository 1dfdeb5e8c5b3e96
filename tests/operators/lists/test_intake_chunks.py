"""Rows that are read and judged together come out as each does alone."""

import random
from pathlib import Path

import pytest

from callspool.request.checks import Rules
from callspool_operators.lists import Intake, IntakeError, IntakeOptions, Row, table
from tests.operators.lists.nasty_encodings import OTHER_FILES
from tests.operators.lists.nasty_files import NASTY_FILES, Nasty

MOST = 50_000
"""Bytes of a file that is quick to read line by line."""

ODD = [
    b"crm-1,Ada,9.19877E+11",
    b'crm-2,"Ada\nLovelace",+14155550101',
    b"crm-3, ,+14155550102",
    b"crm-4,Ada,+1 415-555-0103 ",
    b"crm-5,Ada,'+14155550104",
    b"crm-6,Ada,+14155550105,more",
    b"crm-7,Ada",
    b",,",
    b"",
    b'crm-8,"Ada,+14155550106',
    b"crm-9,Ad\xff,+14155550107",
    b"crm-\x07,Ada,+14155550108",
    b",Ada,+14155550109",
    b"5E+12,Ada,+14155550110",
    b"crm-1,Ada,+14155550111",
]


def rows_of(content: bytes, path: Path, options: IntakeOptions) -> list[Row] | str:
    """The rows of the file, read twice as two files; or why it cannot be read."""
    path.write_bytes(content)
    try:
        return list(Intake([str(path), str(path)], options))
    except IntakeError as fault:
        return str(fault)


def assert_alike(content: bytes, path: Path, options: IntakeOptions) -> None:
    together = rows_of(content, path, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "CHUNK", 1)
        assert rows_of(content, path, options) == together


@pytest.mark.parametrize(
    "nasty",
    [
        each
        for each in NASTY_FILES + OTHER_FILES
        if each.suffix == ".csv" and len(each.content) < MOST
    ],
    ids=lambda nasty: nasty.title,
)
def test_a_nasty_file_gives_the_same_rows_line_by_line(nasty: Nasty, tmp_path: Path) -> None:
    options = IntakeOptions(rules=Rules(region=nasty.region), columns=nasty.columns)
    assert_alike(nasty.content, tmp_path / "contacts.csv", options)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("share_of_odd", [0.001, 0.05, 0.5])
def test_odd_rows_among_plain_ones_give_the_same_rows_line_by_line(
    share_of_odd: float, shared: bool, tmp_path: Path
) -> None:
    draw = random.Random(int(share_of_odd * 1000))
    lines = [b"id,name,phone"]
    for number in range(2_000):
        plain = b"crm-%d,Ada,+1415555%04d" % (number, draw.randrange(10_000))
        lines.append(draw.choice(ODD) if draw.random() < share_of_odd else plain)
    options = IntakeOptions(rules=Rules("US", send_e164=True), allow_shared_numbers=shared)
    assert_alike(b"\r\n".join(lines), tmp_path / "contacts.csv", options)
