"""The API's words on their way into a ledger."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callspool_worker.decisions.wording import LONGEST, one_line, words_of
from tests.worker.decisions.replies import error, page, said


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Invalid number +14155550123.", "Invalid number …23."),
        ("(415) 555-0123 and 1234567890", "…23 and …90"),
        ("+91 98765 43210", "…10"),
        ("+91\u00a098765\u201143210", "…10"),
        ("tel:14155550123x", "tel:…23x"),
        ("٠١٢٣٤٥٦٧٨٩", "…٨٩"),
        ("crm-17 of 200 on 2026-11-22 10:30", "crm-17 of 200 on 2026-11-22 10:30"),
        ("at 2026-11-22T10:30:00 for 14155550123", "at 2026-11-22T10:30:00 for …23"),
        ("Token abcdefghijklmnopqrstuvwxyz is unknown", "Token … is unknown"),
        ("bearer: 'abcdefghijklmnopqrstuvwxyz'", "bearer: '…'"),
        ("Invalid Space Token", "Invalid Space Token"),
        ("one\ntwo\r\n\tthree\x00four\u2028five\u202e", "one two three four five"),
    ],
)
def test_a_text_becomes_one_line_without_numbers_and_secrets(said: str, kept: str) -> None:
    assert one_line(said) == kept


@settings(deadline=None)
@given(st.text())
def test_any_text_becomes_one_bounded_line(text: str) -> None:
    line = one_line(text)
    assert len(line) <= LONGEST
    assert line.isprintable()


def test_a_long_text_is_cut_and_says_so() -> None:
    assert one_line("word " * 1000) == ("word " * 1000)[: LONGEST - 1] + "…"


def test_errors_are_told_with_the_path_that_leads_to_them() -> None:
    errors = {"documents": [{}, {"contact_number": ["Enter a valid number", "Too short"]}]}
    assert words_of(error(400, "There is some Validation error", errors=errors)) == (
        "There is some Validation error; documents[1].contact_number: Enter a valid number; "
        "documents[1].contact_number: Too short"
    )


def test_the_same_words_are_told_once() -> None:
    assert words_of(error(400, "bad", error="bad", errors=["bad"])) == "bad"


def test_an_inner_services_detail_is_told() -> None:
    detail = [{"loc": ["body", "pilot"], "msg": "field required", "type": "missing"}]
    assert words_of(said(422, {"detail": detail})) == "body.pilot: field required"


def test_a_page_is_told_without_its_tags_and_scripts() -> None:
    text = "<html><head><style>p{}</style></head><script>x()</script><h1>502 Bad\nGateway</h1>"
    assert words_of(page(502, text)) == "502 Bad Gateway"


def test_no_words_leave_the_status() -> None:
    assert words_of(page(504, "")) == "HTTP 504 without a readable answer"
    assert words_of(said(500, {})) == "HTTP 500 without a readable answer"


def test_errors_without_end_are_not_told_without_end() -> None:
    deep: object = "x"
    for _ in range(100):
        deep = {"a": [deep]}
    assert len(words_of(error(400, "bad", errors=deep))) <= LONGEST
    many = {f"field{n}": ["wrong"] * 1000 for n in range(1000)}
    assert len(words_of(error(400, "bad", errors=many))) <= LONGEST
