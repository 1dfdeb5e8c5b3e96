"""What the ledger's scripts answer, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from callspool_ledger.writes.records import SEPARATOR, Accepted, ExpiredDocuments, LaneKey, Taken

if TYPE_CHECKING:
    from collections.abc import Iterator


class Creation(NamedTuple):
    """What became of an answer that says that documents were created.

    ``created`` now, ``twice``: by another attempt as well. ``is_known``: it was recorded before, or
    is about another batch. ``is_mistaken``: it belongs to another request; then ``doubtful``
    documents are in doubt because of it.
    """

    created: int = 0
    twice: int = 0
    doubtful: int = 0
    is_known: bool = False
    is_mistaken: bool = False


def creation_of(reply: object) -> Creation:
    """Reads the reply to `calls.created`."""
    if not isinstance(reply, list) or len(reply) < 2:
        return Creation(is_known=True)
    first, second = whole_numbers(reply[:2])
    if first == -2:
        return Creation(doubtful=second, is_mistaken=True)
    return Creation(max(0, first), max(0, second), is_known=first < 0)


def as_bytes(value: object) -> bytes:
    """Returns a text that Redis sent, in bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return str(value).encode()


def as_text(value: object) -> str:
    """Returns a text that Redis sent."""
    return as_bytes(value).decode()


def read_scores(reply: list[object]) -> Iterator[tuple[str, float]]:
    """Yields members and scores: RESP3 pairs them, RESP2 lists them in a row."""
    flat: list[object] = []
    for each in reply:
        flat += each if isinstance(each, list | tuple) else [each]
    for at in range(0, len(flat), 2):
        yield as_text(flat[at]), float(as_text(flat[at + 1]))


def as_list(value: object) -> list[object]:
    """Returns the reply of a script that answers with a list; raises TypeError for another."""
    if not isinstance(value, list):
        raise TypeError(f"a script of the ledger answered {type(value).__name__}, not a list")
    return value


def whole_numbers(values: list[object]) -> list[int]:
    """Returns numbers that scripts answered as numbers or as texts."""
    return [each if isinstance(each, int) else int(as_bytes(each)) for each in values]


def accepted_of(reply: list[object]) -> Accepted:
    """Returns what became of a message."""
    if not reply:
        return Accepted(0, 0, 0, known=True)
    accepted, duplicate, conflict, refused = whole_numbers(reply[:4])
    each = whole_numbers(as_list(reply[4]))
    batches = tuple(whole_numbers(as_list(reply[5])))
    by_group = list(zip(each[::3], each[1::3], each[2::3], strict=True))
    return Accepted(
        accepted, duplicate, refused, conflict=conflict, by_group=by_group, batches=batches
    )


def expired_of(reply: list[object]) -> Iterator[ExpiredDocuments]:
    """Yields what expired while a batch to take was looked for."""
    found = as_list(reply[-1]) if len(reply) > 1 else []
    for batch, account, documents in zip(found[::3], found[1::3], found[2::3], strict=True):
        yield ExpiredDocuments(
            batch=int(as_bytes(batch)), account=as_text(account), documents=int(as_bytes(documents))
        )


def taken_of(taker: str, reply: list[object]) -> Taken:
    """Returns the batch that a taker was given."""
    text = [as_bytes(part).decode() for part in (*reply[:11], *reply[12:19])]
    pieces = [as_bytes(piece) for piece in as_list(reply[11])]
    states = text[10]
    count = states.count("s")
    documents = SEPARATOR.join(pieces)
    if count < len(states):
        every = documents.split(SEPARATOR)
        documents = SEPARATOR.join(
            document for document, letter in zip(every, states, strict=True) if letter == "s"
        )
    return Taken(
        batch=int(text[0]),
        attempt=int(text[1]),
        tries=int(text[2]),
        taker=taker,
        lane_id=text[4],
        lane=LaneKey(text[3], *text[5:10]),
        states=states,
        documents=documents,
        count=count,
        gate=text[11],
        at_ms=int(text[12]),
        seal=text[13],
        refused_alone=int(text[14]),
        strays=text[15] == "1",
        traces=tuple(text[16].split()),
        is_guarded=text[17] == "1",
    )
