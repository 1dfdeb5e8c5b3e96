"""A column that speaks (Do not call) keeps rows from being called, where that is wanted."""

from pathlib import Path

import pytest

from callspool.request.checks import Rules
from callspool_operators.lists import Intake, IntakeError, IntakeOptions
from callspool_operators.lists.formats import is_set, speaking
from callspool_operators.terminal.wording import json_line
from tests.operators.conftest import Call

TABLE = (
    "Name,Phone,Do not call\n"
    "Ada,+14155550100,yes\nBo,+14155550101,\nCy,+14155550102,0\nDi,+14155550103,TRUE\n"
)
LINES = (
    '{"name":"Ada","phone":"+14155550100","dnc":true}\n'
    '{"name":"Bo","phone":"+14155550101","dnc":false}\n'
)
TARGET = ("--space-token", "8KZTOKEN", "--pilot", "p", "--context", "c", "--dry-run")
NOWHERE = ("--redis", "redis://127.0.0.1:1")


def read(path: Path, *columns: str) -> list[tuple[int, str]]:
    rows = Intake([str(path)], IntakeOptions(skip_if=columns))
    return [(row.line, row.reason) for row in rows]


def test_rows_in_which_the_column_is_set_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(TABLE)
    why = "left out: do-not-call is set (--skip-if)"
    assert read(path, "do-not-call") == [(2, why), (3, ""), (4, ""), (5, why)]
    lines = tmp_path / "c.jsonl"
    lines.write_text(LINES)
    assert read(lines, "DNC") == [(1, "left out: DNC is set (--skip-if)"), (2, "")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "c.csv",
            (
                "id,Name,Phone,DNC\n1,Ada,(415) 555-0100,\n2,Ada,+14155550100,x\n"
                "3,Bo,+14155550101,\n"
                "4,Ada,14155550100,\n"
            ),
        ),
        (
            "c.jsonl",
            (
                '{"id":"1","name":"Ada","phone":"(415) 555-0100","DNC":""}\n'
                '{"id":"2","name":"Ada","phone":"+14155550100","DNC":"x"}\n'
                '{"id":"3","name":"Bo","phone":"+14155550101","DNC":""}\n'
                '{"id":"4","name":"Ada","phone":"+1 415 555 0100","DNC":""}\n'
            ),
        ),
    ],
)
def test_the_number_of_a_row_that_is_left_out_is_called_for_no_other(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    options = {"rules": Rules("US"), "skip_if": ("DNC",)}
    reasons = [row.reason for row in Intake([str(path)], IntakeOptions(**options))]
    other = "left out: another row with its number is (--skip-if)"
    assert reasons == [other, "left out: DNC is set (--skip-if)", "", other]
    shared = IntakeOptions(allow_shared_numbers=True, **options)
    assert [row.good for row in Intake([str(path)], shared)] == [True, False, True, True]


def test_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(TABLE)
    with pytest.raises(IntakeError, match=r"no column 'Opt out'.*it has Name, Phone"):
        Intake([str(path)], IntakeOptions(skip_if=("Opt out",))).inspect()
    lines = tmp_path / "c.jsonl"
    lines.write_text(LINES)
    with pytest.raises(IntakeError, match="has a key 'Opt out'"):
        Intake([str(lines)], IntakeOptions(skip_if=("Opt out",))).inspect()


def test_columns_that_speak_are_pointed_out_before_sending(call: Call) -> None:
    Path("c.csv").write_text(TABLE)
    seen = call("send", "c.csv", *TARGET, *NOWHERE)
    assert "--skip-if 'Do not call' leaves out rows" in seen.out
    heeded = call("send", "c.csv", *TARGET, *NOWHERE, "--skip-if", "Do not call")
    assert "4 rows: 2 documents, 2 invalid" in heeded.out
    assert "leaves out rows in which" not in heeded.out


def test_what_a_cell_means() -> None:
    assert [*map(is_set, ["x", "1", "ja", True, 1])] == [True] * 5
    words = ["FALSCH", "FAUX", "FALSO", "Falsa", "ONWAAR", "N/A", "Não", "Nee"]
    words += ["нет", "否", "いいえ", "\u2717", "nil", "--", "Epätosi"]
    assert not any(map(is_set, words))
    assert [*map(is_set, ["", " ", "No", "FALSE", "0", "-", None, False, 0])] == [False] * 9
    names = ["DNC", "Opt-Out", "Unsubscribed", "Do Not Call", "City", "Option"]
    assert speaking(names) == names[:4]
    names = ["HasOptedOutOfCalls", "DND Status", "Phone Opt Out", "is_dnc", "NDNC registered"]
    assert speaking(names) == names
    names = ["Nicht anrufen", "Werbesperre", "Ne pas appeler", "No llamar", "Não ligar", "TPS"]
    names += [
        "Non chiamare",
        "Niet bellen",
        "Ring inte",
        "\u041d\u0435 звонить",
        "勿扰",
        "DoNotCall__c",
    ]
    assert speaking(names) == names


@pytest.mark.parametrize(
    "header",
    [
        "Vorname,Nachname,Handy,Customer No.",
        "First,Last,Phone 1 - Value,Kundennummer",
        "First Name,Last Name,Telefon,Customer Number",
        "Prénom,Nom,Numéro de téléphone,ID",
    ],
)
def test_columns_are_known_by_the_names_that_programs_give_them(
    header: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f"{header}\nAda,Byron,+14155550100,7\n")
    [row] = Intake([str(path)], IntakeOptions())
    assert row.good
    assert row.document_id == "7"
    assert b'"name":"Ada Byron"' in row.raw


@pytest.mark.parametrize(
    "header",
    ["Nombre,Teléfono", "Nome,Celular", "Имя,Телефон", "姓名,手机", "Namn,Mobilnummer"],
)
def test_columns_are_known_in_other_languages(header: str, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f"{header}\nAda,+14155550100\n", encoding="utf-8")
    assert [row.good for row in Intake([str(path)], IntakeOptions())] == [True]


def test_no_character_that_cannot_be_seen_passes_json_output() -> None:
    hidden = "a\U000e0041\u200b\ufeff\xad\u2066b"
    shown = json_line({"x": hidden})
    assert shown.isascii()
    assert "\\udb40\\udc41" in shown


def test_rejects_are_not_written_through_a_link(call: Call, tmp_path: Path) -> None:
    Path("c.csv").write_text(TABLE)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    Path("rejects.csv").symlink_to(precious)
    refused = call("send", "c.csv", *TARGET, *NOWHERE, "--rejects", "rejects.csv")
    assert refused.code == 2
    assert "is a symbolic link" in refused.err
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("header", ["Kunden-Nr", "Kunden Nr.", "Kunde Nr.", "Kd-Nr", "Row"])
def test_a_table_without_a_column_of_ids_is_said(call: Call, tmp_path: Path, header: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f"{header},Name,Phone\n7,Ada,+14155550100\n")
    said = "no column of ids: made from the numbers" in call("send", path, *TARGET, *NOWHERE).out
    assert said is (header == "Row")
