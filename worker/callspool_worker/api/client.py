"""The client of the Unpod API: one pool of connections a process, for all accounts and threads.

Whatever goes wrong on the way of a request comes back as a value, in one line without secrets.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import httpx

from callspool_worker.api.accounts import Access, Outgoing, UnknownAccount
from callspool_worker.api.clock import Ticket, Withheld, always, now
from callspool_worker.api.connection import Pool
from callspool_worker.api.network import Network, create_context
from callspool_worker.api.reading import TooLarge, build_answer, read_body
from callspool_worker.backoff import promptly
from callspool_worker.decisions.answers import (
    Answer,
    Answered,
    NoAnswer,
    NoAnswerKind,
    NotSent,
    NotSentKind,
    code_of,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from callspool_worker.api.accounts import Credentials, Target


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
    """Returns what to say of a request that never was whole."""
    return NotSent(_sentence(host, _NOT_SENT[kind], error), kind)


def no_answer(host: str, error: Exception, *, begun: bool) -> NoAnswer:
    """Returns what to say of a request without a whole answer; ``begun``: its head had come."""
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


def exchange(
    pool: Pool,
    access: Access,
    token: str,
    outgoing: Outgoing,
    until: float,
    *,
    fresh: bool = False,
) -> Answer:
    """Sends a request and reads its answer, both before ``until``.

    ``fresh``: over a connection of its own.
    """
    ticket = Ticket(until, outgoing.send_before, outgoing.may_send)
    head, body = _request(access, token, outgoing)
    host = outgoing.target.host
    begun = False
    try:
        loan = pool.lend(outgoing.target.origin, ticket, fresh=fresh)
        try:
            incoming = loan.send(head, body)
            begun = True
            raw = read_body(loan, outgoing.most)
            ticket.answered = True
        finally:
            loan.close()
    except Withheld as withheld:
        return not_sent("withheld", host, withheld)
    except (httpx.TransportError, TooLarge) as error:
        if not ticket.complete:
            return not_sent(ticket.stage, host, error)
        return no_answer(host, error, begun=begun)
    return build_answer(incoming, raw, token=token, ticket=ticket, most=outgoing.most)


def _request(access: Access, token: str, outgoing: Outgoing) -> tuple[bytes, bytes]:
    """The head of the request, and its body."""
    method, target, body = outgoing.method, outgoing.target, outgoing.body
    lines = [b"%b %b HTTP/1.1" % (method, target.path), *access.headers(token)]
    if body is not None:
        if len(body) < 2:
            raise ValueError("a request body is a JSON object, which has two bytes at least")
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", b""]), body or b""


MOST_OF_A_CREATION = 4 * 1024 * 1024
MOST_OF_A_READ = 32 * 1024 * 1024
"""Bytes of an answer that are read; a page of tasks holds transcripts."""

PROMPT_SECONDS = 1.0
"""After that, what was not sent is left to the ledger's backoff."""

_TARGETS_KEPT = 1024


class UnpodApi:
    """Creates tasks and reads back, as one of several accounts; threads may share it.

    ``request_timeout`` bounds a whole request in seconds: the wait for a connection, sending and
    the answer's last byte. TLS is verified against certifi's roots, or those that
    ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` name. Redirects are not followed, cookies not kept, and
    proxies of the environment not used: a middleman might send a request twice.

    Raises SettingsError if an account's URL, token or org handle cannot be used, or the
    certificates.
    """

    def __init__(
        self,
        accounts: Mapping[str, Credentials],
        *,
        request_timeout: float,
        max_connections: int,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._accesses = {name: Access(name, account) for name, account in accounts.items()}
        self._request_timeout = request_timeout
        origins = [access.origin for access in self._accesses.values()]
        context = ssl_context or create_context(origins)
        self._pool = Pool(context, Network(request_timeout), max_connections)
        self._target_of_creation = lru_cache(maxsize=_TARGETS_KEPT)(_target_of_creation)

    def create(
        self,
        account: str,
        space_token: str,
        body: bytes,
        send_before: float = math.inf,
        may_send: Callable[[], bool] = always,
    ) -> Answer:
        """Sends one create-call; ``body`` is its JSON object, whole.

        The body's last byte is not sent from ``send_before`` on, a moment of `now`, nor where
        ``may_send``, which is asked right before, says no. What provably
        was not sent is sent again at once, twice at most; after a 401 too, if the account's token
        file holds a new token. Raises UnknownAccount.
        """
        access = self._access(account)
        target = self._target_of_creation(access, space_token)
        most = MOST_OF_A_CREATION
        return self._send(access, Outgoing(b"POST", target, body, send_before, most, may_send))

    def get(
        self,
        account: str,
        path: tuple[str, ...],
        params: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """Reads ``/api/v2/platform/<path>/``, given in its steps: ``("spaces", token, "runs")``.

        Raises UnknownAccount.
        """
        access = self._access(account)
        target = access.target(path, params)
        return self._send(access, Outgoing(b"GET", target, None, math.inf, MOST_OF_A_READ))

    def connections(self) -> tuple[int, int]:
        """Returns how many connections are idle, and how many in use."""
        return self._pool.count()

    def close(self) -> None:
        """Closes the connections, those in use as soon as their requests are over."""
        self._pool.close()

    def __enter__(self) -> UnpodApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _access(self, account: str) -> Access:
        try:
            return self._accesses[account]
        except KeyError:
            raise UnknownAccount(account) from None

    def _send(self, access: Access, outgoing: Outgoing) -> Answer:
        begun = now()
        until = begun + self._request_timeout
        give_up = min(begun + PROMPT_SECONDS, until, outgoing.send_before)

        def may_try_again(answer: Answer) -> bool:
            return isinstance(answer, NotSent) and answer.kind != "withheld" and now() < give_up

        token = access.token.text()
        once = partial(exchange, self._pool, access, token, outgoing, until)
        answer = once()
        if may_try_again(answer):
            answer = promptly(answer, partial(once, fresh=True), may_try_again)
        if _refuses_the_token(answer) and access.token.differs_from(token):
            answer = exchange(self._pool, access, access.token.text(), outgoing, until)
        return answer


def _target_of_creation(access: Access, space_token: str) -> Target:
    return access.target(("spaces", space_token, "tasks", "create"))


def _refuses_the_token(answer: Answer) -> bool:
    return isinstance(answer, Answered) and code_of(answer) == 401


def check_start(accounts: Mapping[str, Credentials]) -> None:
    """Tries what each worker process will do with these accounts; no request is made.

    Raises SettingsError, in one line, where a URL, a token, an org handle or the certificates
    cannot be used.
    """
    accesses = [Access(name, account) for name, account in accounts.items()]
    create_context([access.origin for access in accesses])
