"""What goes into the ledger, what its scripts answer, and within which limits: plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from callspool_ledger.keys import attempt_word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool_ledger.guard.numbers import WrittenNumbers


SEPARATOR = b"\x1e"
"""Joins raw documents. JSON never holds this character, so no document has to be parsed."""


Durability = Literal["off", "local", "replica"]

FeedKind = Literal["", "off", "settled", "calls"]
"""What the feed tells: as before, nothing, what is settled, or what becomes of calls as well."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of batches, in documents, bytes and milliseconds."""

    batch_size: int = 100
    batch_bytes: int = 900_000
    linger_ms: int = 1000
    bytes_a_document: int = 64
    """What a document adds to a body besides itself: separator and marker."""
    mark_attempts: bool = True
    """Whether every document carries the mark of its attempt."""
    durable_takes: Durability = "off"
    """Where a take has to be on disk before anything of it is sent."""
    lease_ms: int = 70_000
    """After so long a take of this worker cannot be under way any more."""
    quiet_ms: int = 300_000
    """How long nothing changes before a document that it sent counts as missing."""
    quiet_answered_ms: int = 15_000
    """The same where the API itself answered."""
    refusals_kept: int = 1000
    first_probe_ms: int = 30_000
    """How long a parked gate stays closed before one batch tries it; doubled each time."""
    last_probe_ms: int = 600_000
    feed: FeedKind = "calls"
    """What the feed of events tells."""
    events_keep_ms: int = 259_200_000
    events_max_bytes: int = 256 * 1024 * 1024
    """What the feed keeps in one partition."""


_ID_IN_JSON = re.compile(rb'"document_id"(?::"([^"\\]*)")?').findall
_ESCAPED_LETTER = re.compile(rb"\\u00[567]").search  # of a field's name, perhaps


class LaneKey(NamedTuple):
    """What all documents of a lane share: all that a create-call holds besides documents."""

    account: str
    space_token: str
    campaign: str
    pilot: str
    context: str
    schedule: str
    """The schedule as compact JSON."""


@dataclass(frozen=True, slots=True)
class Group:
    """Documents of one lane that are accepted together.

    ``digests`` are their identities (12 bytes each), ``documents`` their raw JSON, ``numbers``
    digests of their numbers (4 bytes each; none: they are not known). With a ``reason`` they can
    never be sent and are dead at once; where that is a list (``suppressed``: its kind), they are
    cancelled.
    """

    lane_id: str
    lane: LaneKey
    empty_body_bytes: int
    digests: list[bytes]
    documents: list[bytes]
    expires_ms: int = 0
    reason: str = ""
    numbers: list[bytes] = field(default_factory=list)
    suppressed: str = ""
    zones: str = ""  # the class of their zones; "" where their campaign has no hours
    cleared: str = ""  # which lists said that they may be called; "" if none was asked
    written: WrittenNumbers | None = None  # their numbers; None: they have to be read


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that was refused, as the JSON record that the operator reads."""

    account: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of call requests, checked and sorted into lanes."""

    entry_id: str
    spooled: int
    groups: list[Group] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    trace: str = ""
    """W3C traceparent."""
    key: str = ""
    """Name of the key of the HTTP intake that it came with."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a message; ``known`` if it had been accepted before.

    ``conflict``: documents whose id is known with another number. ``by_group``: accepted, duplicate
    and conflicting documents of each group; ``batches``: where they went.
    """

    accepted: int
    duplicate: int
    refused: int
    known: bool = False
    conflict: int = 0
    by_group: list[tuple[int, int, int]] = field(default_factory=list)
    batches: tuple[int, ...] = ()


class ExpiredDocuments(NamedTuple):
    """Documents of one batch that expired before they were sent."""

    batch: int
    account: str
    documents: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch, taken for one POST: the attempt, its lane and the documents to send."""

    batch: int
    attempt: int
    tries: int
    taker: str
    lane_id: str
    lane: LaneKey
    states: str
    documents: bytes
    """The raw documents to send, joined by `SEPARATOR`."""
    count: int
    gate: str
    """The gate that this attempt probes, or ""."""
    at_ms: int
    """Redis' time of the take."""
    seal: str
    """Made of the identities in the batch; tells it from another one with the same number."""
    refused_alone: int = 0
    """Documents of the lane that were refused alone, with none created since."""
    strays: bool = False  # whether the API has documents of the space that the ledger does not know
    traces: tuple[str, ...] = ()  # W3C traceparents of the requests in it, the first ones of many
    ledger_id: str = ""  # the ledger that gave it out
    is_guarded: bool = False  # whether there are lists of numbers that must not be called
    epoch: int = 0  # the number of the last restart of Redis when it was given out
    missed: str = ""  # tokens of earlier attempts that provably called none of these documents
    unlooked: str = ""  # an earlier attempt that was refused, as `second_look` reads it
    cleared: str = ""  # which lists said of all of them that they may be called; "" if none did

    @property
    def token(self) -> str:
        """What the guard knows the attempt by."""
        return attempt_word(self.ledger_id, self.attempt)

    @property
    def quoted_ids(self) -> bytes:
        """The documents' ids, a line each, as they stand in their JSON; "" if that is not plain.

        A pattern finds them in a third of the time that a parser takes.
        """
        found = _ID_IN_JSON(self.documents)
        is_escaped = b"\\" in self.documents and _ESCAPED_LETTER(self.documents)
        is_plain = len(found) == self.count and b"" not in found and not is_escaped
        return b"\n".join(found) if is_plain else b""

    @property
    def places(self) -> list[int]:
        """The documents' places in the batch."""
        return [place for place, letter in enumerate(self.states) if letter == "s"]


SUSPECT = "?"
"""Stands for the scope's tag among strays, where no mark tells whose a document is."""


class Look(NamedTuple):
    """What a look at the API found of an attempt: when it began (ms of Redis' clock), and what."""

    at_ms: int
    found: str


@dataclass(frozen=True, slots=True)
class SpaceLook:
    """A space that is to be read back: when the look began, and its oldest batches in doubt.

    ``failing_ms``: since when it could not be read, by Redis' clock; 0 if the last look could.
    ``unread_ms``: from when on it is to be read back because Redis restarted, for the time that
    ``epoch`` counts; 0 if it need not. ``is_new_ledger``: there may have been another ledger
    before, whose marks tell of the same documents.
    """

    account: str
    space_token: str
    at_ms: int
    batches: list[int]
    failing_ms: int = 0
    epoch: int = 0
    unread_ms: int = 0
    is_new_ledger: bool = False
    is_first_ledger: bool = False
    """Nothing tells that there was another one before."""
    over_ms: int = 0
    """From when on nothing that a restart of Redis made it forget can be under way."""

    @property
    def key(self) -> str:
        """The space as the ledger's keys name it."""
        return f"{self.account}|{self.space_token}"


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
    text = [as_bytes(part).decode() for part in (*reply[:11], *reply[12:23])]
    states, pieces = text[10], [as_bytes(piece) for piece in as_list(reply[11])]
    count, documents = states.count("s"), SEPARATOR.join(pieces)
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
        epoch=int(text[18]),
        missed=text[19],
        unlooked=text[20],
        cleared=text[21],
    )
