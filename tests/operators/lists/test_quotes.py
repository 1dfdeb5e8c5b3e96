"""A line with quotes that are not doubled is read as it is meant, or not at all."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callspool_operators.lists import Intake, IntakeOptions, Row, table
from callspool_operators.lists.delimited import TWO_WAYS
from callspool_operators.lists.table import LOOSE_QUOTES, OPEN_QUOTE

HEADER = b"name,phone,city\n"
DI = b"Di,+14155550102,York\n"


def rows_of(path: Path, content: bytes) -> list[Row]:
    path.write_bytes(content)
    return list(Intake([str(path)], IntakeOptions()))


def fields_of(row: Row) -> tuple[str, ...]:
    document = msgspec.json.decode(row.raw)
    return tuple(document.get(name, "") for name in ("name", "contact_number", "city"))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('"Robert "Bob" Smith","+14155550100","York"', 'Robert "Bob" Smith'),
        ('"Robert \\"Bob\\" Smith","+14155550100","York"', 'Robert "Bob" Smith'),
        ('"Robert ""Bob"" Smith","+14155550100","York"', 'Robert "Bob" Smith'),
        ('"Ace" Plumbing,+14155550100,York', '"Ace" Plumbing'),
        ('"Ace" and "Deuce",+14155550100,York', '"Ace" and "Deuce"'),
        ('"Smith, "Bob"","+14155550100","York"', 'Smith, "Bob"'),
        ('""Bob" Smith","+14155550100","York"', '"Bob" Smith'),
        ('"Smith, \\"Bob\\", Jr","+14155550100","York"', 'Smith, "Bob", Jr'),
        ('"He said "hi", twice","+14155550100","York"', 'He said "hi", twice'),
        ('\\"Bob\\" Smith,+14155550100,York', '"Bob" Smith'),
        ('"C:\\",+14155550100,York', "C:\\"),
        ('6" pipe,+14155550100,York', '6" pipe'),
        ("Smith\\, Bob,+14155550100,York", "Smith, Bob"),
        ("C:\\,+14155550100,York", "C:\\"),
    ],
)
def test_a_line_that_can_be_read_in_one_way_is_read_so(
    line: str, name: str, tmp_path: Path
) -> None:
    [row, di] = rows_of(tmp_path / "c.csv", HEADER + line.encode() + b"\n" + DI)
    assert fields_of(row) == (name, "+14155550100", "York")
    assert fields_of(di) == ("Di", "+14155550102", "York")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"x"y","+14155550100","York","z"', LOOSE_QUOTES),
        ('"A"B"C","+14155550100","York"', LOOSE_QUOTES),
        ('"5" pipe","+14155550100","York"', LOOSE_QUOTES),
        ('"R "B" S","+14155550100"', LOOSE_QUOTES),
        ('"a \\",b\\" c","+14155550100"', TWO_WAYS),
        ("Smith\\, Bob,+14155550100", TWO_WAYS),
        ('"Ada,+14155550100,York', OPEN_QUOTE),
    ],
)
def test_a_line_that_can_be_read_in_two_ways_is_refused(
    line: str, reason: str, tmp_path: Path
) -> None:
    [row, di] = rows_of(tmp_path / "c.csv", HEADER + line.encode() + b"\n" + DI)
    assert row.reason == reason
    assert di.good


WORDS = st.text(st.sampled_from('ab "\\,;'), max_size=12).filter(
    lambda text: text.strip(' "\\') and not set(text.replace(" ", "").split('"')) & {",", ";"}
)


def carelessly_quoted(cells: tuple[str, ...], how: str) -> str:
    """Cells as a program writes them that thinks too little of quotes."""
    if how == "backslash":
        return ",".join('"' + cell.replace('"', '\\"') + '"' for cell in cells)
    return ",".join(f'"{cell}"' for cell in cells)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=WORDS, city=WORDS, how=st.sampled_from(["backslash", "not at all"]))
def test_no_careless_quote_moves_a_cell(
    name: str, city: str, how: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    line = carelessly_quoted((name, "+14155550100", city), how)
    path = tmp_path_factory.getbasetemp() / "careless.csv"
    rows = rows_of(path, HEADER + line.encode() + b"\n" + DI)
    sent = [fields_of(row) for row in rows if row.good]
    assert sent[-1] == ("Di", "+14155550102", "York")
    for _, number, _ in sent[:-1]:
        assert number == "+14155550100", line
    assert len(rows) == 2


@pytest.mark.parametrize(
    "content",
    [
        b'"' + b"x\n" * 20_000,
        b'"\n' * 20_000,
        b'"x\n' * 20_000,
        b'a,"\n' * 20_000,
        (b'"x\n' + b"y\n" * 1999) * 10,
        (b'"x\n' + b'""\n' * 1999) * 10,
        (b'a,"b\n' + b'c"d,e\n') * 10_000,
    ],
    ids=["x", "quotes", "quoted x", "at the end", "pages", "empty cells", "pairs"],
)
def test_a_line_behind_an_open_quote_is_read_a_bounded_number_of_times(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Counter[str]()

    def counted(line: bytes) -> str:
        read["lines"] += 1
        return line.decode()

    monkeypatch.setattr(table, "decode_line", counted)
    rows_of(tmp_path / "c.csv", HEADER + content)
    assert read["lines"] <= 6 * content.count(b"\n") + 100
