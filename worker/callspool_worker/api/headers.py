"""What single headers of an answer say, in whatever form servers write them: pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import urlsplit

LONGEST_PLACE = 200
"""Characters of a redirect's target that are kept."""

_DATE = re.compile(r"[0-9][-:][0-9]")
_YEAR = 366 * 86400.0
_SECONDS = re.compile(
    r"\+?([0-9]{1,15})(?![0-9])(\.[0-9]*)?(?:e\+?([0-9]{1,2}))?\s*(?:s|sec|seconds)?"
)


def wait_of(text: str, server_now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for: a number, or a date of the server's clock.

    Of several the longest counts. Some servers write a moment as a number of seconds since 1970, or
    a date as programs do. None for what is neither.
    """
    text = text.strip()
    moment = moment_of(text) if _DATE.search(text) else None
    if moment is not None:
        return max(0.0, moment - server_now)
    waits = [_wait(part.strip().lower(), server_now) for part in text.split(",")[:10]]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(text: str, server_now: float) -> float | None:
    found = _SECONDS.fullmatch(text)
    if not found:
        return None
    number = float(f"{found[1]}{found[2] or ''}e{found[3] or 0}")
    is_moment = _YEAR < number < 100 * _YEAR and abs(number - server_now) < _YEAR
    return max(0.0, number - server_now) if is_moment else number


@lru_cache(maxsize=64)
def moment_of(date: str) -> float | None:
    """A date in seconds since 1970; thousands of answers share one."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(date)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError, OSError, TypeError):
            continue
    return None


def place_of(location: str) -> str:
    """Where a redirect leads, without a query, a fragment or credentials, which may be secret."""
    try:
        parts = urlsplit(location.strip()[: 4 * LONGEST_PLACE])
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    place = f"{parts.scheme}://{host}{parts.path}" if host else parts.path
    return "".join(c for c in place if c.isprintable())[:LONGEST_PLACE]
