"""Where the log of a worker goes: stderr, one line each."""

from __future__ import annotations

import logging

FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


def log_to_stderr(level: str = "INFO") -> None:
    """Logs callspool's own lines from ``level`` up, and those of its libraries from WARNING up.

    An HTTP library's INFO would show each request's address, and a space token is part of it.
    """
    logging.basicConfig(level=logging.WARNING, format=FORMAT)
    for package in ("callspool", "callspool_worker"):
        logging.getLogger(package).setLevel(level)
