"""What a fault file may say: one struct a kind of fault, all with the same conditions.

Field descriptions for people are in docs/sandbox.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from callspool_sandbox.answers import BodyForm  # noqa: TC001 - msgspec reads the annotations
from callspool_sandbox.defaults import PILOT
from callspool_sandbox.routes import Endpoint

Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Ordinal = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
HttpStatus = Annotated[int, msgspec.Meta(ge=200, le=599)]
On = Endpoint | Literal["reads", "any"]

FOREVER = 86400.0


class Conditions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """When a fault fires: all that is given must hold, and nothing given means always.

    ``nth`` counts the requests for which ``on``, ``space``, ``pilot``, ``document_id``,
    ``documents_over`` and ``body_over`` hold, from 1.
    """

    on: On = "create"
    space: str | None = None
    pilot: str | None = None
    document_id: str | list[str] | None = None
    documents_over: Count | None = None
    body_over: Count | None = None
    nth: Ordinal | list[Ordinal] | None = None
    between: tuple[Seconds, Seconds] | None = None
    in_flight_over: Count | None = None
    per_second_over: Ordinal | None = None
    probability: Chance | None = None
    times: Ordinal | None = None


class Status(Conditions, tag="status", tag_field="name", frozen=True):
    """An answer of that status, before, amid or after creating, or with creating going on later."""

    status: HttpStatus
    where: Literal["before", "amid", "after", "late"] = "before"
    http_status: HttpStatus | None = None
    body: BodyForm | None = None
    message: str | None = None
    errors: dict[str, object] | None = None
    retry_after: Count | str | None = None
    location: str | None = None
    created: Count | None = None
    delay: Seconds = 0.0


class Refuse(Conditions, tag="refuse", tag_field="name", frozen=True):
    """206 before anything was created, in the API's words."""

    field: Literal["pilot", "context", "schedule", "documents", "space", "access", "org"]


class Partial(Conditions, tag="partial", tag_field="name", frozen=True):
    """An answer that lists fewer tasks than documents; ``after``: all were created even so."""

    status: HttpStatus = 206
    where: Literal["amid", "after"] = "amid"
    created: Count | None = None


class Drop(Conditions, tag="drop", tag_field="name", frozen=True):
    """The connection is closed instead of (or amid) the answer."""

    where: Literal["before_body", "before", "amid", "after", "late", "response"] = "before"
    created: Count | None = None
    delay: Seconds = 0.0
    bytes: Count | None = None
    reset: bool = False


class Hang(Conditions, tag="hang", tag_field="name", frozen=True):
    """Silence for a while, then everything goes on as if nothing had been.

    ``until``: not for so long, but until so many seconds after the sandbox was ready, as where a
    proxy holds what it cannot pass on.
    """

    where: Literal["before_body", "before", "amid", "after"] = "before"
    seconds: Seconds = FOREVER
    until: Seconds | None = None
    created: Count | None = None


class Cut(Conditions, tag="cut", tag_field="name", frozen=True):
    """A whole HTTP answer whose JSON breaks off."""

    bytes: Count | None = None


class Drip(Conditions, tag="drip", tag_field="name", frozen=True):
    """The answer in pieces, over that many seconds."""

    seconds: Seconds
    pieces: Annotated[int, msgspec.Meta(ge=2)] = 20


class Mixed(Conditions, tag="mixed", tag_field="name", frozen=True):
    """The answer of the create-call before this one: in place of its own, ahead of it (before the
    request was read) or behind it. ``before``: this one is not carried out.
    """

    where: Literal["before", "after"] = "before"
    place: Literal["instead", "ahead", "behind"] = "instead"


class PackedAnswer(Conditions, tag="packed", tag_field="name", frozen=True):
    """The answer in a compression, which its headers name unless they shall not."""

    encoding: Literal["gzip", "deflate", "raw-deflate", "br", "zstd"] = "gzip"
    announced: bool = True


Fault = Status | Refuse | Partial | Drop | Hang | Cut | Drip | Mixed | PackedAnswer


ExecutionType = Literal["call", "email", "answer"]


class ServerTraits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """How the server is, all the time or from some moment on."""

    clock_skew: float | Annotated[list[float], msgspec.Meta(min_length=1)] = 0.0
    created_shift: float = 0.0
    created_zone: Literal["Z", "+00:00", ""] = ""
    created_precision: Literal["seconds", "microseconds"] = "seconds"
    page_size: Ordinal = 50
    max_page_size: Ordinal | None = None
    pages: Literal["honoured", "ignored", "clamped"] = "honoured"
    order: Literal["newest", "oldest", "created", "shuffled"] = "newest"
    counts: bool | Count | Literal["page", "ahead"] = True
    filters: Literal["honoured", "ignored"] = "honoured"
    input: Literal["whole", "known", "none"] = "whole"
    data_status: Literal["string", "object"] = "string"
    keep_alive: Seconds | None = None
    runs_lag: Seconds = 0.0
    tasks_lag: Seconds = 0.0
    lag_share: Chance = 1.0
    older_runs: Count = 0
    documents_per_second: Annotated[float, msgspec.Meta(gt=0)] | None = None
    follow_up_after: Seconds | None = None
    agents: tuple[str, ...] = (PILOT,)
    execution_type: ExecutionType = "call"
    execution_types: dict[str, ExecutionType] = {}

    @property
    def skews(self) -> list[float]:
        """How far the clock of each server is ahead."""
        return self.clock_skew if isinstance(self.clock_skew, list) else [self.clock_skew]


class FaultFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A whole file: the server's ways, then its faults; the first that fires wins.

    ``changes``: fields of `server` that are others from some moment on, each with ``at``.
    """

    server: ServerTraits = ServerTraits()
    changes: list[dict[str, Any]] = []
    faults: list[Fault] = []

    def states(self) -> list[tuple[float, ServerTraits]]:
        """The server's ways from the beginning and after each change. Raises ValidationError."""
        states = [(0.0, self.server)]
        for change in sorted(self.changes, key=lambda each: float(each.get("at", 0))):
            fields = {**msgspec.structs.asdict(states[-1][1]), **change}
            at = msgspec.convert(fields.pop("at", None), Seconds)
            states.append((at, msgspec.convert(fields, ServerTraits)))
        return states


def is_early(fault: Fault) -> bool:
    """Whether it happens when only the head of a request is there."""
    if isinstance(fault, Mixed):
        return fault.place == "ahead"
    return isinstance(fault, Drop | Hang) and fault.where == "before_body"


def label(fault: Fault) -> str:
    """A fault's name in the log, such as "status 500 late"."""
    words = [type(fault).__name__.lower()]
    if isinstance(fault, Status | Partial):
        words.append(str(fault.status))
    if isinstance(fault, Refuse):
        words.append(fault.field)
    if isinstance(fault, PackedAnswer):
        words.append(fault.encoding)
    if isinstance(fault, Mixed):
        words.append(fault.place)
    if isinstance(fault, Status | Partial | Drop | Hang | Mixed):
        words.append(fault.where)
    return " ".join(words)
