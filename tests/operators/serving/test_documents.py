from __future__ import annotations

import csv
import io
import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from callspool_ledger.access import Right
from callspool_ledger.reads.gates import read_journal
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.serving.problems import Problem
from callspool_operators.serving.uploads import MOST_OF_A_KEY, ReceivingPlaces
from tests.operators.serving.conftest import SPACE, Intake, accept, document

LIST = "/v1/documents?pilot=space-agent-test&context=Follow+up"
NDJSON = {"content-type": "application/x-ndjson"}


def csv_of(*rows: tuple[str, str, str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("ID", "Full Name", "Phone"), *rows])
    return text.getvalue().encode()


ROWS = [("lead-1", "Ada", "+14155550101"), ("lead-2", "Bob", "+14155550102")]


def sheet_of(folder: Path, *, cover: bool = False) -> bytes:
    with xlsxwriter.Workbook(folder / "list.xlsx") as book:
        if cover:
            book.add_worksheet("Cover").write(0, 0, "Report")
        sheet = book.add_worksheet()
        for at, row in enumerate([("ID", "Full Name", "Phone"), *ROWS]):
            sheet.write_row(at, 0, row)
    return (folder / "list.xlsx").read_bytes()


def test_a_list_of_every_format_reaches_the_queue(intake: Intake, tmp_path: Path):
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    lines = b"".join(json.dumps(document(at)).encode() + b"\n" for at in (1, 2))
    for media_type, body in (
        ("text/csv; charset=utf-8", csv_of(*ROWS)),
        (sheet, sheet_of(tmp_path)),
        ("application/x-ndjson", lines),
    ):
        answer = intake.call("POST", LIST, body, **{"content-type": media_type})
        assert (answer.status, answer.json["enqueued"]) == (202, 2), answer.body
    ids = [each["document_id"] for each in intake.queued()]
    assert ids == ["lead-1", "lead-2", "lead-1", "lead-2", "crm-1", "crm-2"]
    assert {fields[b"key"] for fields in intake.messages()} == {b"shop"}


def test_rows_that_are_not_good_are_left_out_and_told(intake: Intake):
    body = csv_of(*ROWS, ("lead-3", "Cy", "12"), ROWS[0])
    answer = intake.call("POST", LIST, body, **{"content-type": "text/csv"}).json
    assert [answer[each] for each in ("rows", "enqueued", "duplicate_in_request", "invalid")] == [
        4, 2, 1, 1,
    ]  # fmt: skip
    assert [(each["line"], each["verdict"]) for each in answer["refused"]] == [
        (4, "invalid"), (5, "duplicate_in_request"),
    ]  # fmt: skip


def test_a_number_of_an_unknown_country_is_left_out_unless_the_caller_says_otherwise(
    intake: Intake,
):
    body = csv_of(ROWS[0], ("lead-9", "Di", "(415) 555-0109"))
    sent = {"content-type": "text/csv"}
    answer = intake.call("POST", LIST, body, **sent).json
    assert (answer["enqueued"], answer["invalid"]) == (1, 1)
    assert "country code" in answer["refused"][0]["reason"]
    for more in ("region=US", "numbers_as_they_are=true"):
        assert intake.call("POST", f"{LIST}&{more}", body, **sent).json["enqueued"] == 2


@pytest.mark.parametrize(
    ("status", "path", "body", "headers"),
    [
        (415, LIST, b"x", {"content-type": "application/pdf"}),
        (415, LIST, b"x", {**NDJSON, "content-encoding": "gzip"}),
        (422, LIST, b"", NDJSON),
        (422, LIST, b"\x1f\x8b\x08", {"content-type": "text/csv"}),
        (422, LIST, b"a,b\n1,2\n", {"content-type": "text/csv"}),
        (422, "/v1/documents?context=x", b"x", NDJSON),
        (422, f"{LIST}&region=ZZ", b"x", NDJSON),
        (422, f"{LIST}&expires_at=yesterday", b"x", NDJSON),
        (403, f"{LIST}&space=OTHER", b"x", NDJSON),
        (413, LIST, b"PK\x03\x04" + bytes(16 * 1024 * 1024), {"content-type": "text/csv"}),
    ],
)
def test_a_list_that_cannot_be_taken_is_refused(
    intake: Intake, status: int, path: str, body: bytes, headers: dict[str, str]
):
    answer = intake.call("POST", path, body, **headers)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert intake.messages() == []


def test_the_parameters_of_a_list_mean_what_the_options_of_send_mean(
    intake: Intake, tmp_path: Path
):
    def post(more: str, body: bytes) -> Any:
        answer = intake.call("POST", f"{LIST}&{more}", body, **{"content-type": "text/csv"})
        intake.redis.delete("callspool:{0}:requests")
        return answer.json

    table = b"Nr,Wer,Handy,Stop\n1,Ada,+14155550101,x\n2,Bob,+14155550102,\n"
    chosen = "map=Nr%3Ddocument_id&map=Wer=name&map=Handy=contact_number"
    assert post(chosen, table)["enqueued"] == 2
    found = post(f"{chosen}&skip_if=stop", table)
    assert (found["enqueued"], found["refused"][0]["reason"]) == (
        1, "left out: stop is set (skip_if)",
    )  # fmt: skip
    twice = table + b"3,Ada,+14155550102,yes\n"
    assert post(f"{chosen}&skip_if=stop", twice)["enqueued"] == 0, (
        "also before the row that says so"
    )
    no_text = "name,phone\n\u00d5\u00ca,+14155550103\n".encode("latin-1")
    assert post("encoding=ISO-8859-1", no_text)["enqueued"] == 1
    assert post("sheet=Sheet2", sheet_of(tmp_path, cover=True))["enqueued"] == 2
    for more in ("map=Handy", "map=Handy=fax", "encoding=hex", "skip_if=Ende", "sheet=Three"):
        body = sheet_of(tmp_path) if "sheet" in more else table
        refused = post(f"{chosen}&{more}", body)
        assert (refused["status"], "--" in refused["detail"]) == (422, False), refused


def test_what_is_wrong_with_a_list_is_told_without_options_of_a_command(
    intake: Intake, tmp_path: Path
):
    no_text = "Jos\u00e9,phone\n\u00d5\u00ca,2\n".encode("latin-1")
    for body in (b"a,b\n1,2\n", no_text, sheet_of(tmp_path, cover=True)):
        answer = intake.call("POST", LIST, body, **{"content-type": "text/csv"})
        assert answer.status == 422
        assert "--" not in answer.json["detail"], answer.json


def test_lists_that_come_in_slowly_keep_out_no_other_key(intake: Intake):
    places = ReceivingPlaces(most=3, most_of_a_key=2)
    for taken, refused in ((["slow", "slow"], "slow"), (["slow", "slow", "shop"], "third")):
        with ExitStack() as stack:
            for key in taken:
                stack.enter_context(places.place_of(key))
            with pytest.raises(Problem, match="others of this kind"):
                stack.enter_context(places.place_of(refused))
    head = (
        f"POST {LIST} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {intake.secret}\r\n"
        "content-type: text/csv\r\ncontent-length: 100\r\n\r\nID,"
    )
    with ExitStack() as stack:
        for _ in range(MOST_OF_A_KEY):
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", intake.port)))
            caller.sendall(head.encode())
        time.sleep(0.3)
        sent = {"content-type": "text/csv"}
        assert intake.call("POST", LIST, csv_of(*ROWS), **sent).json["status"] == 503
        other = intake.create_key("other", Right.ENQUEUE, space_token=SPACE)
        assert intake.call("POST", LIST, csv_of(*ROWS), secret=other, **sent).status == 202


def test_of_a_list_that_breaks_off_nothing_is_enqueued(intake: Intake):
    head = (
        f"POST {LIST} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {intake.secret}\r\n"
        "content-type: application/x-ndjson\r\ncontent-length: 1000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", intake.port)) as caller:
        caller.sendall(head.encode() + json.dumps(document(1)).encode() + b"\n")
        time.sleep(0.2)
    lines = json.dumps(document(2)).encode() + b"\n"
    assert intake.call("POST", LIST, lines, **NDJSON).status == 202
    assert [each["document_id"] for each in intake.queued()] == ["crm-2"]


def test_where_a_rate_ends_a_list_the_rows_that_are_done_are_told(intake: Intake):
    secret = intake.create_key("slow", Right.ENQUEUE, space_token=SPACE, per_minute=100)
    rows = [json.dumps(document(at)).encode() + b"\n" for at in range(250)]
    answer = intake.call("POST", LIST, b"".join(rows), secret=secret, **NDJSON)
    assert answer.status == 429
    assert answer.json["enqueued"] == answer.json["rows"] == 100
    assert len(intake.queued()) == 100
    assert 0 < int(answer.headers["retry-after"]) <= 60


def test_a_caller_reads_and_cancels_documents_of_its_scope(intake: Intake):
    accept(intake, "crm-1", "crm-2")
    ids = {"document_ids": ["crm-1", "unknown", "crm-2"]}
    found = intake.call("POST", "/v1/documents/status", ids).json["documents"]
    assert [each["state"] for each in found] == ["waiting", None, "waiting"]
    assert intake.call("GET", "/v1/documents/crm-1").json == found[0]
    assert intake.call("GET", "/v1/documents/unknown").status == 404
    assert intake.call("GET", "/v1/documents/crm-1?space=OTHER").status == 403
    ids = {"document_ids": ["crm-1", "unknown"]}
    for was_cancelled in (True, False):
        done = intake.call("POST", "/v1/documents/cancel", ids).json["documents"]
        assert [(each["cancelled"], each["state"]) for each in done] == [
            (was_cancelled, "cancelled"), (False, None),
        ]  # fmt: skip
    assert intake.call("GET", "/v1/documents/crm-1").json["state"] == "cancelled"
    assert intake.call("GET", "/v1/documents/crm-2").json["state"] == "waiting"
    newest = LedgerReader(intake.redis).ask(read_journal(1))[0]
    assert (newest.by, newest.command) == ("key shop", "cancel")


def test_a_question_without_ids_or_with_too_many_is_refused(intake: Intake):
    for ids in ([], ["x"] * 1_001, [7]):
        answer = intake.call("POST", "/v1/documents/status", {"document_ids": ids})
        assert answer.status == 422, ids
    assert intake.call("POST", "/v1/documents/cancel", {"document_ids": ["x"] * 101}).status == 422
