"""Messages of the queue: call requests as one stream entry, format version 1.

The format is documented for other languages in docs/message-format.md.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import msgspec

from callspool.errors import MessageUnreadable, shown_name
from callspool.request.call_request import (
    CheckedEnvelope,
    DocumentLines,
    PreparedRequest,
    is_traceparent,
)
from callspool.request.identity import DEFAULT_ACCOUNT, is_account_name

VERSION = 1
MAX_DOCUMENTS = 500
"""Most documents that one of our messages holds."""
MAX_BYTES = 512 * 1024
"""Most bytes of one of our messages; a larger document goes alone."""

TAIL = b"]}]"

SHARED_DOCUMENTS = 50
SHARED_BYTES = 64 * 1024
"""A request up to this size shares its round trip; a larger one has its own."""

MOST_DOCUMENTS_READ = 50_000
MOST_BYTES_READ = 64 * 1024 * 1024
MOST_VALUES_READ = 4_000_000
"""Of a message from elsewhere: one that holds more would keep Redis or a worker busy for long.

The last is a bound of the values in its JSON; each takes some 80 bytes of memory while it is read.
"""


@dataclass(frozen=True, slots=True)
class Message:
    """The field ``requests`` of one message, and how many documents it holds.

    ``head``: of one that holds a single call request, all of it before the first document.
    """

    requests: bytes
    documents: int
    head: bytes = b""


class RequestEnvelope(msgspec.Struct, forbid_unknown_fields=True):
    """A call request as a message holds it; not checked yet (see `checks.check_envelope`)."""

    documents: list[msgspec.Raw]
    space_token: Any = None
    pilot: Any = None
    context: Any = None
    schedule: Any = None
    campaign: Any = None
    account: Any = None
    expires_at: Any = None


class Envelope(msgspec.Struct, frozen=True):
    """A message as it was read.

    ``checked``: one of our producers has validated the documents. ``counted``: how many of them
    the enqueueing script has counted. ``trace``: W3C traceparent. ``key``: name of the key of the
    HTTP intake that they came with.
    """

    requests: list[RequestEnvelope]
    checked: bool
    counted: int
    trace: str | None
    key: str | None = None


_QUOTED = re.compile(r"unknown field `(.*)`(?= - at `)", re.DOTALL)
_MISSPELT = re.compile(r"[A-Za-z_-]{1,40}")

_encode = msgspec.json.Encoder().encode
_requests = msgspec.json.Decoder(list[RequestEnvelope]).decode


def encode(prepared: PreparedRequest) -> Iterator[Message]:
    """Yields the messages that carry a call request: one, or several for a large one."""
    head = head_of(prepared.envelope)
    room = MAX_BYTES - len(head) - len(TAIL)
    for part in prepared.parts:
        for documents, count in _runs(part, room):
            yield Message(head + documents + TAIL, count, head)


def head_of(envelope: CheckedEnvelope) -> bytes:
    """Returns the beginning of a message, up to its first document; `TAIL` ends it."""
    return b"[" + _head(envelope)[:-1] + b',"documents":['


def merge(messages: Iterable[Message]) -> Iterator[Message]:
    """Yields the same documents in as few messages as the limits allow, in their order."""
    waiting: list[Message] = []
    size = documents = 0
    for message in messages:
        documents += message.documents
        size += len(message.requests)
        if waiting and (documents > MAX_DOCUMENTS or size > MAX_BYTES):
            yield _join(waiting)
            waiting, size, documents = [], len(message.requests), message.documents
        waiting.append(message)
    if waiting:
        yield _join(waiting)


def decode(fields: Mapping[bytes, bytes]) -> Envelope:
    """Reads what a stream entry holds; raises `MessageUnreadable`.

    The requests' own fields may still be anything: one bad request does not spoil its neighbours.
    """
    version = fields.get(b"v")
    if version != b"%d" % VERSION:
        raise MessageUnreadable(_unknown(version))
    requests = _read(fields.get(b"requests"))
    return Envelope(
        requests=requests,
        checked=fields.get(b"checked") == b"1",
        # A producer that claims to have counted more would make room in a full queue.
        counted=min(_count(fields.get(b"n", b"0")), sum(len(each.documents) for each in requests)),
        trace=_trace(fields.get(b"trace")),
        key=_key(fields.get(b"key")),
    )


def _head(envelope: CheckedEnvelope) -> bytes:
    head: dict[str, object] = {
        "space_token": envelope.space_token,
        "pilot": envelope.pilot,
        "context": envelope.context,
        "schedule": envelope.schedule,
    }
    if envelope.campaign:
        head["campaign"] = envelope.campaign
    if envelope.account != DEFAULT_ACCOUNT:
        head["account"] = envelope.account
    if envelope.expires_at is not None:
        head["expires_at"] = envelope.expires_at
    return _encode(head)


def _runs(part: list[bytes] | DocumentLines, room: int) -> Iterator[tuple[bytes, int]]:
    """Documents with commas between them, and how many, in runs within the limits."""
    if isinstance(part, DocumentLines):
        if part.count <= MAX_DOCUMENTS and len(part.text) <= room:
            yield part.join(), part.count
            return
        part = part.split()
    documents = iter(part)
    while some := list(islice(documents, MAX_DOCUMENTS)):
        for run in _parts(some, room):
            yield b",".join(run), len(run)


def _parts(documents: list[bytes], room: int) -> Iterator[list[bytes]]:
    """The documents in runs that fit the room; one that does not fit is a run of its own."""
    if sum(map(len, documents)) + len(documents) <= room:
        yield documents
        return
    part: list[bytes] = []
    size = 0
    for document in documents:
        size += len(document) + 1
        if part and size > room:
            yield part
            part, size = [], len(document) + 1
        part.append(document)
    yield part


def _join(messages: list[Message]) -> Message:
    if len(messages) == 1:
        return messages[0]
    runs = [(head, [*run]) for head, run in groupby(messages, attrgetter("head"))]
    inner = b",".join([_inner(head, run) for head, run in runs])
    documents = sum([message.documents for message in messages])
    return Message(b"[" + inner + b"]", documents, runs[0][0] if len(runs) == 1 else b"")


def _inner(head: bytes, messages: list[Message]) -> bytes:
    """The call requests of messages with the same head: one, with the documents of all."""
    if not head:
        return b",".join([message.requests[1:-1] for message in messages])
    start, end = len(head), -len(TAIL)
    documents = b",".join([message.requests[start:end] for message in messages])
    return head[1:] + documents + TAIL[:-1]


def _read(requests: bytes | None) -> list[RequestEnvelope]:
    if requests is None:
        raise MessageUnreadable("the message has no field requests")
    size = len(requests)
    # There are no more commas than bytes: few messages are so large that they have to be counted.
    is_large = size > MOST_VALUES_READ and requests.count(b",") > MOST_VALUES_READ
    if size > MOST_BYTES_READ or is_large:
        raise MessageUnreadable("the message's field requests: is too large, send it in parts")
    try:
        envelopes = _requests(requests)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise MessageUnreadable(f"the message's field requests: {describe_fault(fault)}") from None
    except RecursionError:
        raise MessageUnreadable("the message's field requests: is nested too deeply") from None
    if not envelopes:
        raise MessageUnreadable("the message's field requests: holds no call request")
    if sum(len(each.documents) or 1 for each in envelopes) > MOST_DOCUMENTS_READ:
        raise MessageUnreadable(
            f"the message's field requests: holds more than {MOST_DOCUMENTS_READ:,} documents,"
            " send it in parts"
        )
    return envelopes


def describe_fault(fault: Exception) -> str:
    """Describes a fault without the name that it quotes, unless that is like one of ours."""

    def quote_name(found: re.Match[str]) -> str:
        return found[0] if _MISSPELT.fullmatch(found[1]) else "unknown field"

    return _QUOTED.sub(quote_name, str(fault), count=1)


def _count(number: bytes) -> int:
    if not (number.isdigit() and len(number) <= 9):
        raise MessageUnreadable("the message's field n: must be a number of documents")
    return int(number)


def _key(name: bytes | None) -> str | None:
    """The name of a key; None for anything else, since it goes into logs as it is."""
    text = (name or b"").decode("ascii", "replace")
    return text if is_account_name(text) else None


def _trace(trace: bytes | None) -> str | None:
    """The traceparent; None for anything else, since it goes into logs as it is."""
    text = (trace or b"").decode("ascii", "replace")
    return text if is_traceparent(text) else None


def _unknown(version: bytes | None) -> str:
    if version is None:
        return "the message has no field v"
    name = shown_name(version[:20].decode("ascii", "replace").strip())
    return f"the message's version '{name}' is not known here: a newer callspool may have sent it"
