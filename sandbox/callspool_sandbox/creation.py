"""Creating runs: what the API checks of a body, in its order, and what it then stores."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from callspool_sandbox.exchange import Head, HttpReply, logged_status, reply
from callspool_sandbox.protocol import (
    Answer,
    api_answer,
    created_answer,
    of_document,
    proxy_answer,
    validation,
)
from callspool_sandbox.store import first_unstorable, holds_infinity

if TYPE_CHECKING:
    from callspool_sandbox.fault_files import Fault
    from callspool_sandbox.fault_plan import FaultPlan
    from callspool_sandbox.sandbox import Options, Sandbox
    from callspool_sandbox.store import StoredRun


MARKS = {"reject": 400, "unprocessable": 422, "fail": 500}
"""A document whose field `sandbox` is one of these words makes its whole request fail so."""

_MARK_ERRORS: dict[str, object] = {
    "documents": ["A document has an invalid contact_number."],
}
_NAMED = "value is not a valid number"
_SCHEDULES = {"now", "auto", "custom"}
_REQUIRED = ["This field is required."]


class Sent(msgspec.Struct, gc=False):
    """What the sandbox reads of a document; the rest is kept as the bytes it came in."""

    name: Any = None
    contact_number: Any = None
    document_id: str | int | None = None
    id: str | int | None = None
    callspool_attempt: Any = None
    sandbox: Any = None


class Body(msgspec.Struct, gc=False):
    """A create request."""

    pilot: Any = None
    context: Any = None
    schedule: Any = None
    documents: list[Sent] | None = None


_decoder = msgspec.json.Decoder(Body)


@dataclass(slots=True)
class Received:
    """A create request as it came in, looked through once.

    ``ids`` holds each document's `ref_id`: `id`, else `document_id` (O). ``incomplete``: one has no
    name or number; ``has_id``: one carries `id`; ``mark``: the status that a marked one asks for,
    and its place. ``problem`` answers a body that cannot be understood. ``storable``: how
    many documents can be stored before the first that cannot; None where all can.
    """

    raw: bytes
    body: Body
    problem: Answer | None = None
    ids: list[str | int | None] = field(default_factory=list)
    attempts: set[str] = field(default_factory=set)
    incomplete: bool = False
    has_id: bool = False
    mark: tuple[int, int] | None = None
    storable: int | None = None


def read_body(raw: bytes) -> Received:
    """Decodes a create request; never raises."""
    try:
        received = Received(raw, _decoder.decode(raw))
    except msgspec.ValidationError:
        problem = validation({"documents": ["A list of objects is expected."]})
        return Received(raw, Body(), problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Received(raw, Body(), api_answer(400, message="JSON parse error"))
    if holds_infinity(raw):
        # Nobody could pass it on to the service behind: an exception, and a page in HTML (R).
        received.problem = proxy_answer(500)
    received.storable = first_unstorable(raw)
    for place, sent in enumerate(received.body.documents or ()):
        received.ids.append(sent.document_id)
        if sent.callspool_attempt is not None:
            received.attempts.add(str(sent.callspool_attempt))
        if not sent.name or not sent.contact_number:
            received.incomplete = True
        if sent.id is not None:
            received.has_id = True
            received.ids[-1] = sent.id
        if received.mark is None and str(sent.sandbox) in MARKS:
            received.mark = MARKS[str(sent.sandbox)], place
    return received


def check_sender(authorization: str, options: Options) -> Answer | None:
    """Returns 401 for a token that is missing or wrong; the `Org-Handle` does not matter (R)."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "Token" or not token.strip():
        return api_answer(401, message="Authentication credentials were not provided.")
    if options.token is not None and token.strip() != options.token:
        return api_answer(401)
    return None


def check_organisation(org_handle: str, options: Options) -> Answer | None:
    """Returns what agents say to an `Org-Handle` that is missing or unknown (R), or None."""
    if not org_handle:
        return api_answer(400, message="Organization handle is required in Org-Handle header")
    if options.org_handle is not None and org_handle != options.org_handle:
        return Answer(404, b'{"message":"Organization not found"}')
    return None


def check_create(received: Received, now: float) -> Answer | None:
    """Returns the answer to a create request that creates nothing, or None where all is well."""
    if received.problem is not None:
        return received.problem
    body = received.body
    if body.documents is not None and not body.documents:
        return api_answer(500, message="sandbox: empty documents, see sandbox_violation in the log")
    errors: dict[str, object] = {}
    for name, value in (("pilot", body.pilot), ("context", body.context)):
        if not isinstance(value, str) or not value.strip():
            errors[name] = _REQUIRED
    if body.documents is None:
        errors["documents"] = _REQUIRED
    elif received.incomplete:
        errors["documents"] = ["name and contact_number are required."]
    if errors:
        return validation(errors)
    return _check_schedule(body.schedule, now) or _check_mark(received.mark)


def _check_schedule(schedule: Any, now: float) -> Answer | None:
    if schedule is None:
        return None
    if not isinstance(schedule, dict):
        return validation({"schedule": ["An object is expected."]})
    return _check_custom(schedule, now) if schedule.get("type") == "custom" else None


def _check_custom(schedule: dict[str, Any], now: float) -> Answer | None:
    needed = ("calling_date", "calling_time")
    missing = [field for field in needed if not isinstance(schedule.get(field), str)]
    if missing:
        return validation({"schedule": [f"{field} is required." for field in missing]})
    try:
        moment = datetime.fromisoformat(f"{schedule['calling_date']}T{schedule['calling_time']}")
    except ValueError:
        return validation({"schedule": ["calling_date is YYYY-MM-DD, calling_time is HH:MM."]})
    if moment.replace(tzinfo=UTC).timestamp() < now:
        return api_answer(400, message="Schedule time is in the past")
    return None


def _check_mark(mark: tuple[int, int] | None) -> Answer | None:
    if mark is None:
        return None
    status, place = mark
    if status == 422:
        return of_document(place, "contact_number", _NAMED, "type_error.str")
    return api_answer(status, errors=_MARK_ERRORS if status < 401 else None)


def violation(received: Received) -> str | None:
    """Returns what only a client's bug can send; the log tells it."""
    if received.problem is not None:
        return "the body is not a create request"
    if received.body.documents == []:
        return "empty documents: the API would call a whole stored collection"
    schedule = received.body.schedule
    if isinstance(schedule, dict) and schedule.get("type") not in _SCHEDULES:
        return "a schedule type that the API does not know runs at once"
    if received.has_id:
        return "a document carries id, which the API prefers to document_id"
    if len(set(received.ids)) < len(received.ids) and None not in received.ids:
        return "two documents of one request have the same document_id"
    return None


class TaskCreation:
    """Carries out one plan. Tasks and their line in the log are made without a pause in between."""

    def __init__(
        self,
        sandbox: Sandbox,
        head: Head,
        received: Received,
        *,
        steps: FaultPlan,
        fault: Fault | None,
        begun: float,
    ) -> None:
        self._sandbox = sandbox
        self._head = head
        self._received = received
        self._steps = steps
        self._fault = fault
        self._begun = begun
        self._run: StoredRun | None = None

    async def carry_out(self, space: str) -> HttpReply:
        """Takes all steps up to the answer; a task creates what is to be created after it."""
        steps = self._steps
        if steps.opens:
            await self._create(space, steps.first)
        self._write_line()
        if steps.pause:
            await asyncio.sleep(steps.pause_at(self._begun))
        if steps.rest:
            self._write_late(await self._create(space, steps.rest))
        if steps.late:
            self._sandbox.go_on_later(self._create_late(space))
        return self._reply()

    def _reply(self) -> HttpReply:
        before, mixed = self._sandbox.last_answer, self._steps.mixed
        answer = self._answer()
        if self._steps.own is None and self._run is not None:
            self._sandbox.last_answer = answer
        if mixed is None or before is None:
            return reply(answer, self._steps)
        if mixed.place == "behind":
            return replace(reply(answer, self._steps), behind=before)
        return reply(before, self._steps)

    async def _create(self, space: str, count: int) -> range:
        """Creates the next documents' tasks, at once or one after the other."""
        pace = self._sandbox.states.now.documents_per_second
        if pace is None:
            return self._write(space, count)
        async with self._sandbox.creating:
            places = self._write(space, 0)
            for _ in range(count):
                await asyncio.sleep(1 / pace)
                places = range(places.start, self._write(space, 1).stop)
        return places

    def _write(self, space: str, count: int) -> range:
        clock = self._head.clock
        now = clock.now()
        store = self._sandbox.store
        if self._run is None:
            schedule = self._received.body.schedule
            later = isinstance(schedule, dict) and schedule.get("type") == "custom"
            self._run = store.start_run(
                space,
                self._received.raw,
                len(self._received.ids),
                now,
                "scheduled" if later else "pending",
                clock.server,
            )
        places = store.add_tasks(self._run, count, now, clock.server)
        # A run that still grows is completed already once its first call was evaluated.
        if self._sandbox.dialler is not None and self._run.status != "scheduled":
            self._sandbox.dialler.add(self._run, places)
        return places

    async def _create_late(self, space: str) -> None:
        left = self._steps.late
        piece = 1 if self._steps.delay else left
        while left:
            await asyncio.sleep(self._steps.delay)
            self._write_late(await self._create(space, piece))
            left -= piece

    def _answer(self) -> Answer:
        steps = self._steps
        if steps.own is not None:
            return steps.own
        run = self._run
        if run is None:
            return api_answer(200)
        store = self._sandbox.store
        listed = run.tasks if steps.listed is None else steps.listed
        status = b'"pending"'
        if self._sandbox.states.now.data_status == "object":
            pairs = (f'"{store.task_id(run, place)}":"pending"' for place in range(listed))
            status = f"{{{','.join(pairs)}}}".encode()
        ids = store.task_ids_json(run, listed)
        return created_answer(store.run_id(run), ids, status, status=steps.listed_status)

    def _write_line(self) -> None:
        log = self._sandbox.log
        if not log.wanted:
            return
        steps, received, run = self._steps, self._received, self._run
        fields = self._head.for_log(self._fault)
        fields |= {
            "status": logged_status(self._status(), steps),
            "documents": len(received.ids),
            "created": received.ids[: run.tasks] if run else [],
            "run_id": self._sandbox.store.run_id(run) if run else None,
            "attempt": sorted(received.attempts),
            "bytes": len(received.raw),
        }
        broken_rule = violation(received)
        if broken_rule:
            fields["sandbox_violation"] = broken_rule
        log.write("request", fields)

    def _status(self) -> int:
        steps = self._steps
        return steps.own.status if steps.own else steps.listed_status

    def _write_late(self, places: range) -> None:
        if self._run is None or not self._sandbox.log.wanted:
            return
        fields: dict[str, object] = {
            "request": self._head.number,
            "run_id": self._sandbox.store.run_id(self._run),
            "created": self._received.ids[places.start : places.stop],
        }
        self._sandbox.log.write("created_late", fields)
