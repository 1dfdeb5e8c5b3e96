"""What an API says of its limits in headers: three ways in use, read alike, nonsense ignored.

``X-RateLimit-Remaining`` and ``-Reset`` (D); ``RateLimit-Remaining`` and ``-Reset`` without the X;
and one ``RateLimit`` for both, as drafts of the IETF have it: ``limit=9, remaining=5, reset=3`` or,
for each of several policies, ``"name";r=50;t=5``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from callspool_worker.decisions.answers import Quota

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 3600.0
"""Seconds that a quota is believed; then the API is asked anew."""

_MOST_CHARACTERS = 500
_YEAR = 366 * 86400.0
_WHOLE = re.compile(r"[0-9]{1,12}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_PART = re.compile(r"""(?:^|[;,\s])(remaining|reset|r|t)\s*=\s*"?([0-9]{1,12})""", re.ASCII)


def quota_of(headers: Mapping[str, str], server_now: float) -> Quota | None:
    """What the API takes yet; None if it does not say. ``server_now``: seconds since 1970."""
    found = [quota for prefix in ("x-", "") if (quota := _in_two(headers, prefix, server_now))]
    found += _in_one(headers.get("ratelimit", ""))
    return min(found, key=lambda quota: quota.left, default=None)


def reset_of(headers: Mapping[str, str], server_now: float) -> float | None:
    """Seconds until the API takes requests again, where it told to slow down; None if unknown."""
    for prefix in ("x-", ""):
        seconds = _seconds(headers.get(f"{prefix}ratelimit-reset", ""), server_now)
        if seconds is not None:
            return seconds
    spent = [quota.seconds for quota in _in_one(headers.get("ratelimit", "")) if not quota.left]
    return max(spent, default=None)


def _in_two(headers: Mapping[str, str], prefix: str, server_now: float) -> Quota | None:
    left = headers.get(f"{prefix}ratelimit-remaining", "").strip()
    seconds = _seconds(headers.get(f"{prefix}ratelimit-reset", ""), server_now)
    if seconds is None or not _WHOLE.fullmatch(left):
        return None
    return Quota(int(left), min(seconds, LONGEST))


def _in_one(text: str) -> list[Quota]:
    if len(text) > _MOST_CHARACTERS:
        return []
    policies = text.split(",") if ";" in text else [text]
    found = []
    for policy in policies:
        parts = {name[0] + name[2:3]: int(number) for name, number in _PART.findall(policy)}
        left, seconds = parts.get("rm", parts.get("r")), parts.get("rs", parts.get("t"))
        if left is not None and seconds is not None:
            found.append(Quota(left, min(float(seconds), LONGEST)))
    return found


def _seconds(text: str, server_now: float) -> float | None:
    """Some count seconds from now, others since 1970; no wait is as long as a year."""
    text = text.strip()
    if not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    return number if number < _YEAR else max(0.0, number - server_now)
