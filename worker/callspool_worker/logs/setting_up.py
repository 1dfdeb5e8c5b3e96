"""Where the log of a process goes, and in which form."""

from __future__ import annotations

import logging
import os
import sys

from callspool_worker.logs.handler import LineHandler
from callspool_worker.logs.lines import as_json, as_text
from callspool_worker.logs.outbox import Outbox


def log_to_stderr(level: str = "info", form: str = "auto", incarnation: str = "") -> None:
    """Logs callspool's own lines from ``level`` up, and those of its libraries from WARNING up.

    An HTTP library's INFO would show each request's address, and a space token is part of it.
    ``form``: json, console, or auto: console on a terminal. ``incarnation`` names the worker.
    """
    if form == "auto":
        form = "console" if sys.stderr.isatty() else "json"
    about: dict[str, object] = {"pid": os.getpid()}
    if incarnation:
        about["worker"] = incarnation[:8]
    outbox = Outbox(sys.stderr)
    write = as_json if form == "json" else as_text
    handler = LineHandler(outbox, write, about, end=outbox.end)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for package in ("callspool", "callspool_worker"):
        logging.getLogger(package).setLevel(level.upper())
