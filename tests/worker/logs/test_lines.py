"""What a line of the log holds, and what it never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from callspool_worker import api, events
from callspool_worker.events.event import emit, lines_dropped, run_shown
from callspool_worker.logs.handler import LineHandler
from callspool_worker.logs.lines import LINES, as_json, as_text

NUMBER, NAME = "+14155550187", "Zebulon Quackenbush"


class Log:
    """A handler of our own on the root, its clock in our hands."""

    def __init__(self) -> None:
        self.stream, self.now = io.StringIO(), 0.0
        self.handler = LineHandler(self.stream, as_json, {"pid": 7}, lambda: self.now)

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    logger = logging.getLogger()
    logger.addHandler(made.handler)
    logging.getLogger("callspool_worker").setLevel(logging.INFO)
    yield made
    logger.removeHandler(made.handler)
    logging.getLogger("callspool_worker").setLevel(logging.NOTSET)


def attempt(**changed: object) -> events.Attempt:
    fields = {
        "batch": 17, "attempt": 18, "account": "default", "space": "8KZR…", "lane": "68be",
        "outcome": "created", "code": "200", "decision": "created", "documents": 3,
        "seconds": 0.25, "run_id": "R74",
    }  # fmt: skip
    return events.Attempt(**(fields | changed))  # type: ignore[arg-type]


DOWN = {"outcome": "not_sent", "code": "", "decision": "again", "run_id": ""}


def test_an_event_is_one_line_with_its_fields(log: Log) -> None:
    emit(attempt())
    (line,) = log.lines
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "level": "info", "event": "attempt", "pid": 7, "batch": 17, "attempt": 18,
        "message": "batch 17, attempt 18: 3 documents created: created 200, in run R74",
        "account": "default", "space": "8KZR…", "lane": "68be", "outcome": "created",
        "code": "200", "decision": "created", "documents": 3, "seconds": 0.25, "run_id": "R74",
    }  # fmt: skip


def test_what_is_nought_is_left_out(log: Log) -> None:
    emit(attempt(rests=float("0")))
    assert "rests" not in log.lines[0]


def test_while_an_api_is_down_most_lines_are_left_out_and_counted(log: Log) -> None:
    for _ in range(LINES + 5):
        emit(attempt(**DOWN))
    assert (len(log.lines), log.handler.dropped, lines_dropped()) == (LINES, 5, 5)
    emit(attempt())
    log.now = 61.0
    emit(attempt(**DOWN))
    assert (log.lines[-1]["suppressed"], log.lines[-1]["suppressed_documents"]) == (5, 15)
    for _ in range(LINES):
        emit(attempt(**DOWN))
    log.handler.close()
    last = log.lines[-1]
    assert (last["event"], last["like"], last["outcome"]) == ("suppressed", "attempt", "not_sent")
    assert (last["suppressed"], last["suppressed_documents"]) == (1, 3)


def test_what_is_created_is_told_however_often(log: Log) -> None:
    for _ in range(3 * LINES):
        emit(attempt())
    assert len(log.lines) == 3 * LINES


def test_lines_of_other_libraries_have_the_same_form_and_show_no_people(log: Log) -> None:
    class Message:
        def __str__(self) -> str:
            return f"accept({NAME}, {NUMBER})"

    logging.getLogger("dramatiq.worker").warning("Failed to process %s in %d s", Message(), 3)
    logging.getLogger("other").error("cannot call %s: %s", NUMBER, ValueError(NAME))
    first, second = log.lines
    assert first["message"] == "Failed to process Message in 3 s"
    assert (first["event"], first["logger"]) == ("log", "dramatiq.worker")
    assert second["message"] == "cannot call …87: ValueError"


def test_a_traceback_shows_where_and_not_what(log: Log) -> None:
    try:
        try:
            int(f"{NAME} {NUMBER}")
        except ValueError as cause:
            raise RuntimeError(NAME) from cause
    except RuntimeError as error:
        emit(events.StepFailed(part="the sweep", pause=1.0), error=error)
    (line,) = log.lines
    shown = json.dumps(line)
    assert "RuntimeError" in shown
    assert "ValueError" in shown
    assert "test_lines.py" in shown
    assert NAME not in shown
    assert "5550187" not in shown


def test_on_a_console_an_event_is_one_line_whatever_is_in_it(log: Log) -> None:
    text = io.StringIO()
    handler = LineHandler(text, as_text, {})
    record = logging.LogRecord(
        "x", logging.WARNING, "", 0, "%s", (attempt(run_id="R\x1b[2J\nX"),), None
    )
    handler.emit(record)
    line = text.getvalue()
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert "WARNING batch 17, attempt 18: 3 documents created" in line
    assert "[attempt]" in line
    assert "lane=68be" in line


def test_what_cannot_be_written_costs_lines_alone(log: Log) -> None:
    broken = logging.LogRecord("x", logging.INFO, api.__file__, 0, "%d", ("no number",), None)
    log.handler.handle(broken)
    log.stream.close()
    emit(attempt())
    assert log.handler.dropped == 2


@pytest.mark.parametrize(
    ("run_id", "shown"),
    [("R74", "R74"), (None, ""), (NAME, "(not shown)"), (NUMBER, "(not shown)")],
)
def test_a_run_id_that_looks_like_none_is_not_shown(run_id: str | None, shown: str) -> None:
    assert run_shown(run_id) == shown
