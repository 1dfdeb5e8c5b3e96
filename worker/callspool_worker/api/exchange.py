"""One request and its answer; whatever goes wrong on the way comes back as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from callspool_worker.api.failures import no_answer, not_sent
from callspool_worker.api.reading import TooLarge, answered, read_body
from callspool_worker.api.ticket import Ticket, Withheld, WithheldBody

if TYPE_CHECKING:
    from callspool_worker.answers import Answer
    from callspool_worker.api.accounts import Access
    from callspool_worker.api.transport import TicketTransport


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be sent, when its last byte may be, and how much of the answer is read."""

    method: str
    url: httpx.URL
    body: bytes | None
    send_before: float
    most: int


def exchange(
    transport: TicketTransport, access: Access, token: str, outgoing: Outgoing, until: float
) -> Answer:
    """Sends a request and reads its answer, both before ``until``."""
    ticket = Ticket(until, outgoing.send_before)
    request = _request(access, token, outgoing, ticket)
    host = outgoing.url.netloc.decode()
    begun = False
    try:
        response = transport.handle_request(request)
        try:
            begun = True
            raw = read_body(response, outgoing.most)
            ticket.answered = True
        finally:
            response.close()
    except Withheld as withheld:
        return not_sent("withheld", host, withheld)
    except (httpx.TransportError, TooLarge) as error:
        if not ticket.complete:
            return not_sent(ticket.stage, host, error)
        return no_answer(host, error, begun=begun)
    return answered(response, raw, token=token, ticket=ticket, most=outgoing.most)


def _request(access: Access, token: str, outgoing: Outgoing, ticket: Ticket) -> httpx.Request:
    body = outgoing.body
    stream: httpx.SyncByteStream = (
        httpx.ByteStream(b"") if body is None else WithheldBody(body, ticket)
    )
    return httpx.Request(
        outgoing.method,
        outgoing.url,
        headers=access.headers(token, body),
        stream=stream,
        extensions=ticket.extensions(),
    )
