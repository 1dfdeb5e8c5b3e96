"""What a worker process tells its supervisor of itself, now and then. Ages and times in seconds."""

from __future__ import annotations

import msgspec

EVERY = 1.0
"""Seconds between two reports."""


class ProcessStats(msgspec.Struct, kw_only=True):
    """One report. What only grows is counted since the process began.

    ``sweep_age``: since the last finished sweep. ``wedged_for``: since the sweep last ended in good
    order, or because Redis did not answer; it grows only if the sweep itself hangs or fails.
    """

    threads: int = 0
    busy_threads: int = 0
    in_flight: dict[str, int] = {}
    limits: dict[str, float] = {}
    connections_idle: int = 0
    connections_busy: int = 0
    sweep_age: float = 0.0
    wedged_for: float = 0.0
    messages_accepted: int = 0
    log_lines_dropped: int = 0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    open_fds: int = 0

    def to_json(self) -> bytes:
        """One line without its end."""
        return msgspec.json.encode(self)


_decoder = msgspec.json.Decoder(ProcessStats)


def read_vitals(line: bytes) -> ProcessStats | None:
    """The report that a line holds; None if it is none."""
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        return None
