"""From an exception of httpx to a `NotSent` or `NoAnswer`, in one line without secrets."""

from __future__ import annotations

import httpx

from callspool_worker.api.reading import TooLarge
from callspool_worker.decisions.answers import NoAnswer, NoAnswerKind, NotSent, NotSentKind

_LONGEST = 200

_NOT_SENT: dict[NotSentKind, str] = {
    "pool": "no connection became free",
    "dns": "the host name was not found",
    "connect": "no connection",
    "tls": "no secure connection",
    "incomplete": "the connection broke before the request was complete",
    "withheld": "the request was not in time, its last byte was withheld",
}
_NO_ANSWER: dict[NoAnswerKind, str] = {
    "timeout": "sent, but no whole answer came in time",
    "reset": "sent, but the connection broke before an answer",
    "cut_off": "sent, but the answer broke off",
    "too_large": "sent, but the answer is larger than is read",
    "unreadable": "sent, but the answer is not HTTP",
}


def not_sent(kind: NotSentKind, host: str, error: Exception) -> NotSent:
    """What to say of a request that never was whole."""
    return NotSent(_sentence(host, _NOT_SENT[kind], error), kind)


def no_answer(host: str, error: Exception, *, begun: bool) -> NoAnswer:
    """What to say of a whole request without a whole answer; ``begun``: its head had come."""
    kind = _kind(error, begun=begun)
    return NoAnswer(_sentence(host, _NO_ANSWER[kind], error), kind)


def _kind(error: Exception, *, begun: bool) -> NoAnswerKind:
    if isinstance(error, TooLarge):
        return "too_large"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if begun:
        return "cut_off"
    return "reset" if isinstance(error, httpx.NetworkError) else "unreadable"


def _sentence(host: str, what: str, error: Exception) -> str:
    # A parser may quote what it cannot take: a server's echo of our request.
    quotes = isinstance(error, httpx.ProtocolError)
    cause = "" if quotes else " ".join(str(error).split())
    return f"{host}: {what}: {cause}"[:_LONGEST] if cause else f"{host}: {what}"
