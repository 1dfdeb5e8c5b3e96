"""A log that nobody reads holds up nobody."""

from __future__ import annotations

import io
import logging
import os
import threading
import time

import pytest

from callspool_worker.logs import handler as outbox_module
from callspool_worker.logs.handler import WHOLE_BYTES, LineHandler, Outbox
from callspool_worker.logs.lines import as_json


def test_lines_come_out_in_their_order():
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        outbox = Outbox(stream)
        for number in range(1000):
            outbox.write(f"{number}\n")
        outbox.end()
    with os.fdopen(read) as found:
        assert [int(line) for line in found] == [*range(1000)]


def test_lines_that_come_fast_wait_for_no_others(monkeypatch: pytest.MonkeyPatch):
    """Else a burst would fill the outbox while its thread waits, and lines were lost."""
    monkeypatch.setattr(outbox_module, "PACE_SECONDS", 60.0)
    stream = io.StringIO()
    outbox = Outbox(stream)
    for number in range(250):
        outbox.write(f"{number}\n")
    until = time.monotonic() + 5
    while len(stream.getvalue().splitlines()) < 200 and time.monotonic() < until:
        time.sleep(0.001)
    assert len(stream.getvalue().splitlines()) == 200
    outbox.end()
    assert len(stream.getvalue().splitlines()) == 250


class Noting(io.StringIO):
    """A stream that notes what it is given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


def test_what_is_written_at_once_is_never_so_much_that_another_process_may_write_amid_it():
    stream = Noting()
    outbox = Outbox(stream)
    lines = [f"{number} {'é' * (number % 300)}\n" for number in range(500)]
    lines.insert(200, f"{'long' * 3000}\n")
    for line in lines:
        outbox.write(line)
    outbox.end()
    assert stream.getvalue() == "".join(lines)
    assert len(stream.pieces) < len(lines) / 3
    for piece in stream.pieces:
        assert piece.endswith("\n")
        assert len(piece.encode()) <= WHOLE_BYTES or piece == lines[200]


class Stuck(io.StringIO):
    """A stream whose reader has stopped to read."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def write(self, text: str) -> int:
        self.goes_on.wait()
        return super().write(text)


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(len(text))


def test_a_log_that_nobody_reads_drops_lines_and_blocks_nobody():
    stream = Stuck()
    outbox = Outbox(stream, most=50)
    handler = LineHandler(outbox, as_json, {})
    log = logging.getLogger("tests.outbox")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    working = threading.Thread(target=lambda: [log.info("%s", "x") for _ in range(2000)])
    working.start()
    working.join(20)
    assert not working.is_alive()
    dropped = handler.dropped
    assert 1800 < dropped < 2000
    stream.goes_on.set()
    outbox.end()
    assert len(stream.getvalue().splitlines()) == 2000 - dropped


def test_a_stream_that_is_closed_stops_nobody():
    outbox = Outbox(Closed())
    outbox.write("lost\n")
    outbox.end()
    outbox.write("taken, and never written\n")
