"""From an HTTP response to an `Answered`: bounded, parsed, and without the token."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from callspool_worker.api.headers import moment_of, place_of, wait_of
from callspool_worker.api.packing import unpack
from callspool_worker.api.quotas import quota_of, reset_of
from callspool_worker.decisions.answers import BODY_KEPT, Answered
from callspool_worker.decisions.reply import code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool_worker.api.incoming import Headers, Incoming
    from callspool_worker.api.ticket import Ticket

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
    """The whole body as it was sent; raises TooLarge beyond ``most`` bytes."""
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
    """The answer as a value; should the server quote our token, it is taken out."""
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
