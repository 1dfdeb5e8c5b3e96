"""From an HTTP response to an `Answered`: bounded, parsed, and without the token.

Servers state their limits in three ways, and all are read alike: ``X-RateLimit-Remaining`` and
``-Reset`` (D); ``RateLimit-Remaining`` and ``-Reset`` without the X; and one ``RateLimit`` for
both, as drafts of the IETF have it: ``limit=9, remaining=5, reset=3`` or, for each of several
policies, ``"name";r=50;t=5``. Nonsense in headers is ignored.
"""

from __future__ import annotations

import re
import time
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from callspool_worker.decisions.answers import BODY_KEPT, Answered, Quota, code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool_worker.api.clock import Ticket
    from callspool_worker.api.connection import Headers, Incoming


LONGEST = 3600.0
"""Seconds that a quota is believed; then the API is asked anew."""

_MOST_CHARACTERS = 500
_YEAR = 366 * 86400.0
_WHOLE = re.compile(r"[0-9]{1,12}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_PART = re.compile(r"""(?:^|[;,\s])(remaining|reset|r|t)\s*=\s*"?([0-9]{1,12})""", re.ASCII)


def quota_of(headers: Mapping[str, str], server_now: float) -> Quota | None:
    """Returns what the API still takes; None if unknown. ``server_now``: seconds since 1970."""
    found = [quota for prefix in ("x-", "") if (quota := _in_two(headers, prefix, server_now))]
    found += _in_one(headers.get("ratelimit", ""))
    return min(found, key=lambda quota: quota.left, default=None)


def reset_of(headers: Mapping[str, str], server_now: float) -> float | None:
    """Returns seconds until the API takes requests again after a 429; None if unknown."""
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


_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"
_LAYERS = 3
_AS_IT_IS = frozenset({"", "identity", "none"})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


def unpack(raw: bytes, encoding: str, most: int) -> tuple[bytes, str]:
    """Returns the body as it was before it was packed, up to ``most`` bytes, and ``""``.

    Or nothing, and the name of a compression that is not understood here.
    """
    body = raw
    names = [name.strip().lower() for name in encoding.split(",")]
    for name in reversed(names[:_LAYERS]):
        if name in {"gzip", "x-gzip", "deflate"}:
            body = _inflate(body, most)
        elif name not in _AS_IT_IS:
            return (body, "") if _is_readable(body) else (b"", name)
    if body.startswith(_GZIP):
        body = _inflate(body, most)  # some proxies do not say so
    return body.removeprefix(_MARK), ""


def _inflate(body: bytes, most: int) -> bytes:
    """What was packed as gzip, zlib, or deflate without either's frame; else the same."""
    for window in () if _is_readable(body) else (_GZIP_OR_ZLIB, -zlib.MAX_WBITS):
        try:
            found = zlib.decompressobj(window).decompress(body, most)
        except zlib.error:
            continue
        return found or body
    return body


def _is_readable(body: bytes) -> bool:
    """Whether a body can be read as it is: a header may lie."""
    return body.lstrip()[:1] in {b"", b"{", b"["}


LONGEST_PLACE = 200
"""Characters of a redirect's target that are kept."""

_DATE = re.compile(r"[0-9][-:][0-9]")
_SECONDS = re.compile(
    r"\+?([0-9]{1,15})(?![0-9])(\.[0-9]*)?(?:e\+?([0-9]{1,2}))?\s*(?:s|sec|seconds)?"
)


def wait_of(text: str, server_now: float) -> float | None:
    """Returns the seconds that ``Retry-After`` asks for: a number, or a date of the server's clock.

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
    """Returns a date in seconds since 1970; thousands of answers share one."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(date)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError, OSError, TypeError):
            continue
    return None


def place_of(location: str) -> str:
    """Returns where a redirect leads, without query, fragment or credentials: secrets, maybe."""
    try:
        parts = urlsplit(location.strip()[: 4 * LONGEST_PLACE])
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    place = f"{parts.scheme}://{host}{parts.path}" if host else parts.path
    return "".join(c for c in place if c.isprintable())[:LONGEST_PLACE]


_TELLING = frozenset({"retry-after", "ratelimit", "ratelimit-reset", "x-ratelimit-reset"})
"""Headers without which an answer says nothing of the load that it takes."""


class TooLarge(Exception):  # noqa: N818 - an event of its own
    """The body of an answer is larger than is read."""


_DEEPEST = 12
"""Levels of nested errors that are kept; nobody reads deeper."""

_MOST_VALUES = 1_000_000
"""Values of a JSON answer that are parsed: an empty object takes 3 bytes there and 80 in memory."""

_UNMISTAKABLE = 12
"""Characters from which a token is no word that a field could be called by chance."""

_WORDS = frozenset({"message", "error", "detail", "errors"})
"""Fields of an answer that hold words, which a ledger keeps and an operator reads."""


def read_body(arriving: Iterable[bytes], most: int) -> bytes:
    """Returns the whole body as it was sent; raises TooLarge beyond ``most`` bytes."""
    parts: list[bytes] = []
    size = 0
    for part in arriving:
        size += len(part)
        if size > most:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


def build_answer(
    incoming: Incoming, raw: bytes, *, token: str, ticket: Ticket, most: int
) -> Answered:
    """Returns the answer as a value; should the server quote our token, it is taken out."""
    headers = _by_name(incoming.headers)
    body, packed = unpack(raw, headers.get("content-encoding", ""), most)
    answer = Answered(
        status=incoming.status,
        body=body[:BODY_KEPT].replace(token.encode(), b"[token]"),
        json=_without_token(_parse(body), token),
        server_date=moment_of(headers.get("date", "")),
        content_type=headers.get("content-type", ""),
        request_complete=ticket.complete,
        location=place_of(headers.get("location", "")).replace(token, "[token]"),
        packed=packed,
    )
    if _TELLING.isdisjoint(headers):
        return answer
    return replace(
        answer,
        retry_after=_wait_asked_for(headers, answer),
        quota=quota_of(headers, _clock_of(answer)),
    )


def _by_name(lines: Headers) -> dict[str, str]:
    """Headers by their names in small letters; lines of one name are one list (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name, value in lines:
        word, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[word] = f"{found[word]}, {text}" if word in found else text
    return found


def _parse(body: bytes) -> object:
    # Each value but the first follows one of these; those inside of texts do no harm.
    if body.count(b",") + body.count(b"[") + body.count(b"{") > _MOST_VALUES:
        return None
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None


def _without_token(parsed: object, token: str) -> object:
    """The answer without our token where words are. What decisions rest on stays as it came:
    a short token might stand in the name of a field or in an id by chance.
    """
    if not isinstance(parsed, dict):
        return parsed
    return {
        name: _mask(value, token, _DEEPEST) if name in _WORDS else value
        for name, value in parsed.items()
    }


def _mask(value: object, token: str, deepest: int) -> object:
    if isinstance(value, str):
        return value.replace(token, "[token]")
    if isinstance(value, list | dict) and not deepest:
        return "…"
    if isinstance(value, list):
        return [_mask(inner, token, deepest - 1) for inner in value]
    if isinstance(value, dict):
        return {
            _masked_name(name, token): _mask(inner, token, deepest - 1)
            for name, inner in value.items()
        }
    return value


def _masked_name(name: str, token: str) -> str:
    """A field's name without our token, which the path to an error would tell."""
    return name.replace(token, "[token]") if len(token) >= _UNMISTAKABLE else name


def _wait_asked_for(headers: Mapping[str, str], answer: Answered) -> float | None:
    """Seconds to wait as ``Retry-After`` says, after a 429 else as the quota's reset (D)."""
    asked = headers.get("retry-after")
    if asked is not None:
        return wait_of(asked, _clock_of(answer))
    return reset_of(headers, _clock_of(answer)) if code_of(answer) == 429 else None


def _clock_of(answer: Answered) -> float:
    """The server's clock, in seconds since 1970, or ours where it tells nothing."""
    return time.time() if answer.server_date is None else answer.server_date
