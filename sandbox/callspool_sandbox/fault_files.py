"""Fault files: their form, and how one is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from callspool.errors import SettingsError
from callspool_sandbox.protocol import (
    PILOT,
    BodyForm,
    Endpoint,
)

if TYPE_CHECKING:
    from pathlib import Path


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

    ``until``: ends it at this many seconds after the sandbox was ready, as where a proxy holds what
    it cannot pass on.
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


class CallTraits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """How calls go; times in simulated seconds, of which ``speed`` pass in a second."""

    speed: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    lines: Ordinal = 20
    lines_a_run: Ordinal = 10
    ringing: Seconds = 15.0
    seconds: tuple[Seconds, Seconds] = (20.0, 90.0)
    no_answer: Chance = 0.25
    voicemail: Chance = 0.05
    fault: Chance = 0.05
    unknown: Chance = 0.0
    redial_after: Seconds = 120.0
    evaluated_after: Seconds = 60.0
    never_evaluated: Chance = 0.0
    follow_ups: Chance = 0.0
    follow_up_after: Seconds = 3600.0
    run_status: Literal["first", "kept"] = "first"
    transcript_bytes: Count = 700
    call_log: bool = True


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
    calls: CallTraits | None = None

    @property
    def skews(self) -> list[float]:
        """How far the clock of each server is ahead."""
        return self.clock_skew if isinstance(self.clock_skew, list) else [self.clock_skew]


class FaultFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A whole file: the server's state, then its faults; the first that fires wins.

    ``changes``: fields of `server` that are others from some moment on, each with ``at``.
    """

    server: ServerTraits = ServerTraits()
    changes: list[dict[str, Any]] = []
    faults: list[Fault] = []

    def states(self) -> list[tuple[float, ServerTraits]]:
        """Returns the server's states, the first and one a change; raises ValidationError."""
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
    """Returns a fault's name in the log, such as "status 500 late"."""
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


def load_faults(path: Path) -> FaultFile:
    """Returns the faults of a `.toml` or `.json` file.

    Raises SettingsError, in one line that names the file and the place, for anything in it that
    would not work as written.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"fault file {path}: cannot be read: {error.strerror}") from error
    try:
        return parse_faults(text, json=path.suffix == ".json")
    except SettingsError as error:
        raise SettingsError(f"fault file {path}: {error}") from error


def parse_faults(text: bytes, *, json: bool = False) -> FaultFile:
    """Returns the same from its text. Raises SettingsError."""
    decode = msgspec.json.decode if json else msgspec.toml.decode
    try:
        file = decode(text, type=FaultFile)
        file.states()
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise SettingsError(" ".join(str(error).split())) from error
    for place, fault in enumerate(file.faults):
        fault_of = f"$.faults[{place}] ({label(fault)})"
        reason = _objection(fault)
        if reason:
            raise SettingsError(f"{fault_of}: {reason}")
    return file


def _objection(fault: Fault) -> str | None:
    """Why a fault cannot happen as written, or None."""
    where = fault.where if isinstance(fault, Status | Partial | Drop | Hang) else "after"
    if fault.between is not None and fault.between[0] > fault.between[1]:
        return "`between` ends before it begins"
    if fault.on != "create":
        return _objection_on_a_read(fault, where)
    if is_early(fault) and _looks_into_the_body(fault):
        return "what stands in a body is unknown before it was read; drop that condition or `where`"
    created = getattr(fault, "created", None)
    if created is not None and where not in {"amid", "late", "after"}:
        return f"`created` means nothing with where = {where!r}; take amid or late"
    if created is not None and where == "after" and not isinstance(fault, Partial):
        return "`created` means nothing with where = 'after': all are created; take amid or late"
    return None


def _objection_on_a_read(fault: Fault, where: str) -> str | None:
    if _looks_into_the_body(fault):
        return "only requests with on = 'create' have a body to look into"
    if isinstance(fault, Partial | Mixed) or _refuses_a_field(fault):
        return "it only makes sense with on = 'create'"
    if where in {"amid", "late"} or (where == "after" and isinstance(fault, Status)):
        return f"a read creates nothing, so where = {where!r} needs on = 'create'"
    return None


_BODY_FIELDS = {"pilot", "context", "schedule", "documents"}


def _refuses_a_field(fault: Fault) -> bool:
    return isinstance(fault, Refuse) and fault.field in _BODY_FIELDS


def _looks_into_the_body(fault: Fault) -> bool:
    return any(
        condition is not None
        for condition in (fault.pilot, fault.document_id, fault.documents_over, fault.body_over)
    )
