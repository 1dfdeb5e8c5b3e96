"""Call requests for tests, and what a queue holds of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import redis

from callspool import CallRequest, Document
from callspool.request.message import decode
from callspool_ledger import keys

STREAM = keys.stream(keys.REQUESTS)
COUNTS = keys.PartitionKeys().counts


class Unready(Mapping[str, object]):
    """A contact that fails while it is read, in the way in which an iterator ends."""

    def __getitem__(self, name: str) -> object:
        return next(iter(()))

    def __iter__(self) -> Iterator[str]:
        return iter(["name", "contact_number"])

    def __len__(self) -> int:
        return 2


def one_contact(document_id: str, about: str | None = None) -> CallRequest:
    """A request for one contact; the numbers are fictional and may repeat."""
    return contacts([document_id], about=about)


def contacts(
    document_ids: list[str], about: str | None = None, campaign: str | None = None
) -> CallRequest:
    return CallRequest(
        space_token="8KZ",
        pilot="space-agent-1",
        context="Follow up",
        campaign=campaign,
        documents=[
            Document(
                name="Ada Example",
                contact_number="+14155550123",
                document_id=document_id,
                about=about,
            )
            for document_id in document_ids
        ],
    )


def queued_ids(client: redis.Redis) -> list[str]:
    """The ids of all documents in the stream, in order, duplicates included."""
    found = []
    for _, fields in client.xrange(STREAM):
        for request in decode(fields).requests:
            found += [
                msgspec.json.decode(document)["document_id"] for document in request.documents
            ]
    return found


def spooled(client: redis.Redis) -> int:
    """Documents that the queue counts as not accepted yet."""
    return int(client.hget(COUNTS, "spooled") or 0)
