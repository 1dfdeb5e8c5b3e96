"""One request and its answer; whatever goes wrong on the way comes back as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from callspool_worker.api.failures import no_answer, not_sent
from callspool_worker.api.reading import TooLarge, build_answer, read_body
from callspool_worker.api.ticket import Ticket, Withheld

if TYPE_CHECKING:
    from callspool_worker.api.accounts import Access
    from callspool_worker.api.api_request import Outgoing
    from callspool_worker.api.pool import Pool
    from callspool_worker.decisions.answers import Answer


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
    ticket = Ticket(until, outgoing.send_before)
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
