"""Looking whether the API is there before anything is promised about sending to it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from callspool.errors import ApiUnreachable

PATIENCE = 5.0
"""Seconds until a server that does not answer counts as not being there."""


def check_api(url: str) -> None:
    """Raises `ApiUnreachable` unless something accepts connections at the URL. Sends nothing."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except (OSError, UnicodeError) as fault:
        said = fault.strerror if isinstance(fault, OSError) else None
        reason = said or str(fault) or type(fault).__name__
        raise ApiUnreachable(
            f"the API at {host}:{port} cannot be reached ({reason.lower()}):"
            " check CALLSPOOL_API_URL and the network; nothing was sent"
        ) from None
