"""Submitting: a batch is taken, sent and recorded, until none is left; strays are not sent."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from callspool.request.identity import Scope, scope_tag
from callspool_ledger.errors import ListsGone
from callspool_ledger.guard import CallsAsked, Guard
from callspool_ledger.keys import attempt_word
from callspool_ledger.writes import SEPARATOR, LedgerUnavailable
from callspool_ledger.writes.records import SUSPECT, creation_of
from callspool_worker import events
from callspool_worker.backoff import GivenUp
from callspool_worker.decisions.decide import AttemptView, Created, InDoubt, decide
from callspool_worker.decisions.second_look import is_looked_into_later, read_refused
from callspool_worker.events.attempt_events import recalled_event, taken_event
from callspool_worker.events.event import emit, emit_after
from callspool_worker.permits.account import Feedback, feedback
from callspool_worker.sending import body
from callspool_worker.sending.body import document_ids
from callspool_worker.sending.refusal_check import RefusalCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from callspool.redis_io.scripts import Call, Reply
    from callspool_ledger.guard import Clearance
    from callspool_ledger.writes import Ledger, Taken
    from callspool_worker.backoff import LedgerRetry
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.sending.recording import Recorder


def _count_calls(guard: Guard, taken: Taken, token: str, places: Collection[int]) -> None:
    pairs = zip(taken.places, taken.documents.split(SEPARATOR), strict=True)
    made = CallsAsked(taken.lane.account, taken.lane.campaign, token)
    guard.count(made, [document for place, document in pairs if place in places])


def steps(ledger: Ledger, taken: Taken, guard: Guard) -> list[Call]:
    """Returns the steps that record as created what the API has of a batch that was taken.

    They are for after the batch was given back; the calls count for caps from now on. Raises
    `LedgerUnavailable`.
    """
    lane = taken.lane
    tag = scope_tag(Scope(lane.account, lane.space_token, lane.campaign))
    names = {
        f"{tag}|{one}": place for one, place in zip(document_ids(taken), taken.places, strict=True)
    }
    space = f"{lane.account}|{lane.space_token}"
    runs: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    for name, found in ledger.strays(space, list(names)).items():
        run_id, task_id, attempt = found.split("\x1f")
        runs[run_id, int(attempt)][names[name]] = task_id
    if taken.is_guarded:
        for (run, number), places in runs.items():
            word = attempt_word(taken.ledger_id, number) if number else run
            _count_calls(guard, taken, word, places)
    return [
        emit_after(
            ledger.calls.recall(
                taken.batch,
                attempt
                or ledger.new_attempt(),  # of a ledger that is gone: its number is another's
                run_id=run_id,
                ids=[tasks[place] for place in sorted(tasks)],
                places="".join("1" if at in tasks else "0" for at in range(len(taken.states))),
            ),
            partial(recalled_event, lane.account, taken.batch, attempt, run_id),
        )
        for (run_id, attempt), tasks in runs.items()
    ]


def hold_suspects(ledger: Ledger, recorder: Recorder, taken: Taken, guard: Guard) -> bool:
    """Holds documents that a run without a mark holds, which may be ours; whether there were any.

    They are suspects once: what an operator sends again goes out. Raises `LedgerUnavailable`.
    """
    names = {
        f"{SUSPECT}|{one}": place
        for one, place in zip(document_ids(taken), taken.places, strict=True)
    }
    space = f"{taken.lane.account}|{taken.lane.space_token}"
    found = {name: run.partition("\x1f")[0] for name, run in ledger.strays(space, [*names]).items()}
    if not found:
        return False
    suspects = {names[one]: run for one, run in found.items()}
    if taken.is_guarded and len(found) == taken.count:
        _count_calls(guard, taken, taken.token, suspects)
    ledger.run([recorder.hold_suspects(taken, suspects)])
    if len(found) == taken.count:
        ledger.run_commands([("HDEL", ledger.keys.strays(space), *found)])
    return True


@dataclass(frozen=True, slots=True)
class SubmitSettings:
    """How this process sends.

    ``request_timeout``: seconds, for the whole of a request. ``incarnation`` names this process
    among all that ever were.
    """

    request_timeout: float
    max_attempts: int
    incarnation: str


@dataclass(frozen=True, slots=True)
class Api:
    """What a submitter needs of the API.

    ``create`` sends a body: (account, space token, body, deadline of its last byte, and whether it
    may be sent, asked right before it) → answer;
    ``get`` reads a path: (account, path, query) → answer; ``clock`` is that deadline's clock, in
    seconds.
    """

    create: Callable[..., Answer]
    get: Callable[[str, tuple[str, ...], Mapping[str, str | int]], Answer]
    clock: Callable[[], float]

    def read(self, account: str, space_token: str) -> Answer:
        """Reads the newest run of a space: the least that shows whether the API answers."""
        return self.get(account, ("spaces", space_token, "runs"), {"page": 1, "page_size": 1})


class SendPermits(Protocol):
    """Says which accounts may send; `permits.Permits` does."""

    def reserve(self) -> tuple[str, ...]: ...
    def keep(self, reserved: tuple[str, ...], used: str | None, *, looked: bool = True) -> None: ...
    def began(self, name: str) -> tuple[float, int]: ...
    def note_end(self, name: str, told: Feedback, began: tuple[float, int]) -> float: ...
    def gave_back(self, name: str) -> None: ...


class Submitter:
    """Takes batches, sends them and records what came of them: one for all threads of a process.

    Nothing is taken without a permit of its account.
    """

    def __init__(
        self,
        ledger: Ledger,
        api: Api,
        recorder: Recorder,
        retry: LedgerRetry,
        permits: SendPermits,
        *,
        how: SubmitSettings,
        guard: Guard | None = None,
    ) -> None:
        self._ledger = ledger
        self._api = api
        self._recorder = recorder
        self._retry = retry
        self._permits = permits
        self._how = how
        self._refusals = RefusalCheck(ledger, retry, api.get)
        self._guard = guard or Guard(ledger)
        self._turns = itertools.count(1)

    def run(self) -> None:
        """Sends batch after batch until nothing is ready, or nothing may be sent."""
        self.work(self._permits.reserve())

    def work(self, reserved: tuple[str, ...], goes_on: Callable[[], bool] = lambda: True) -> None:
        """The same, with permits of these accounts to begin with.

        ``goes_on`` is asked after each batch whether this thread may go on.
        """
        try:
            if self._retry.stopping:
                self._permits.keep(reserved, None, looked=False)
                return
            self._send_all(reserved, goes_on)
        except GivenUp as reason:
            emit(events.Left(why=str(reason)))

    def _send_all(self, reserved: tuple[str, ...], goes_on: Callable[[], bool]) -> None:
        steps: Sequence[Call] = ()
        while reserved:
            started = self._api.clock()
            taken = self._take(steps, reserved)
            if taken is None:
                return
            steps = self._deliver(taken, started + self._how.request_timeout)
            is_over = self._retry.stopping or not goes_on()
            reserved = () if is_over else self._permits.reserve()
        if steps:
            self._retry.until_answered(partial(self._ledger.run, steps))

    def _take(self, steps: Sequence[Call], reserved: tuple[str, ...]) -> Taken | None:
        """Records and takes; of the permits only that of the batch is kept."""
        turn = next(self._turns)
        taker = f"{self._how.incarnation}:{turn}"
        taken, looked = None, False
        try:
            taken = self._retry.until_answered(
                partial(self._ledger.record_and_take, steps, taker, _rotate(reserved, turn))
            )
            looked = True
        finally:
            used = taken.lane.account if taken else None
            self._permits.keep(reserved, used, looked=looked)
        return taken

    def _deliver(self, taken: Taken, send_before: float) -> list[Call]:
        """Sends a batch; the steps that record what came of it."""
        emit(taken_event(taken))
        account = taken.lane.account
        instead = clearance = None
        try:
            instead = self._instead(taken, send_before)
            if instead is None and taken.is_guarded:
                instead, clearance = self._screen(taken)
        except BaseException:
            self._permits.gave_back(account)
            raise
        if instead is not None:
            self._permits.gave_back(account)
            return instead
        began = self._api.clock()
        answer, rest = self._send(taken, send_before, clearance)
        seconds = self._api.clock() - began
        view = AttemptView(taken.count, taken.tries, self._how.max_attempts, taken.refused_alone)
        decision = self._refusals.decide_again(taken, answer, decide(answer, view), seconds)
        counted = clearance if clearance is not None and clearance.token else None
        is_over = not isinstance(decision, Created | InDoubt)
        if counted is not None and is_over and not is_looked_into_later(answer, decision):
            # Before its documents wait again: the next take must not find them counted.
            self._retry.until_answered(partial(self._guard.give_back, counted))
        steps = self._recorder.steps(taken, view, answer, decision, seconds, rest)
        if counted is not None and isinstance(decision, Created):
            steps[0] = self._note_made(steps[0], counted)
        return [*self._recorder.rest(taken, rest), *steps]

    def _instead(self, taken: Taken, send_before: float) -> list[Call] | None:
        """What is recorded if the batch is not to be sent; None if it is."""
        is_late = self._api.clock() >= send_before or not self._ledger.is_current(taken)
        if self._retry.stopping or is_late:
            return [self._recorder.give_back(taken)]
        if taken.strays:
            recalled = self._retry.until_answered(partial(steps, self._ledger, taken, self._guard))
            if recalled:
                return [self._recorder.give_back(taken), *recalled]
            held = partial(hold_suspects, self._ledger, self._recorder, taken, self._guard)
            if self._retry.until_answered(held):
                return []
        read = None
        if (refused := read_refused(taken.unlooked)) is not None:
            read, found = self._refusals.look_into(taken, refused, anew=bool(taken.gate))
            instead = self._recorder.after_looking(taken, refused, read, found)
            if instead is not None:
                return instead
        if taken.gate:
            read = read or self._api.read(taken.lane.account, taken.lane.space_token)
            return self._recorder.after_reading(taken, read)
        return None

    def _screen(self, taken: Taken) -> tuple[list[Call] | None, Clearance | None]:
        """Asks who may be called: what is recorded instead of sending, or the clearance."""
        lane = taken.lane
        recalled = self._guard.recall(lane.account, lane.campaign, taken.cleared)
        if recalled is not None:
            return None, recalled
        documents, known = taken.documents.split(SEPARATOR), (taken.missed, taken.cleared)
        try:
            clearance = self._guard.reserve(
                lane.account, lane.campaign, documents, taken.token, *known
            )
        except ListsGone as gone:
            return [self._recorder.wait_for_guard(taken, str(gone))], None
        except LedgerUnavailable:
            why = "the suppression lists and caps cannot be read"
            return [self._recorder.wait_for_guard(taken, why)], None
        if clearance.hits:
            return [self._recorder.suppress(taken, clearance.hits)], None
        if clearance.capped:
            return [self._recorder.defer(taken, clearance.capped)], None
        return None, clearance

    def _note_made(self, step: Call, clearance: Clearance) -> Call:
        """The step that records a creation; the guard hears of it once it is recorded."""

        def on_reply(reply: Reply) -> None:
            if step.on_reply is not None:
                step.on_reply(reply)
            found = creation_of(reply)
            if not found.is_known and not found.is_mistaken:
                self._guard.note_made(clearance)

        return step._replace(on_reply=on_reply)

    def _may_send(self, taken: Taken, clearance: Clearance | None) -> bool:
        """Whether a batch may still be sent, asked before its last byte."""
        if not self._ledger.is_current(taken):
            return False
        try:
            return clearance is None or self._guard.is_still_clear(clearance)
        except LedgerUnavailable:
            return False

    def _send(
        self, taken: Taken, send_before: float, clearance: Clearance | None
    ) -> tuple[Answer, float]:
        """The answer, and the seconds that the account rests because of it."""
        lane = taken.lane
        told, began = Feedback(), self._permits.began(lane.account)
        rest = 0.0
        try:
            word = None
            if self._ledger.limits.mark_attempts:
                word = body.mark(taken.ledger_id, taken.attempt, lane)
            content = body.compose(taken, word)
            may_send = partial(self._may_send, taken, clearance)
            answer = self._api.create(
                lane.account, lane.space_token, content, send_before, may_send
            )
            told = feedback(answer)
        finally:
            rest = self._permits.note_end(lane.account, told, began)
        return answer, rest


def _rotate(accounts: tuple[str, ...], turn: int) -> tuple[str, ...]:
    """The accounts, another one first each time, so that none waits for another."""
    first = turn % len(accounts)
    return accounts[first:] + accounts[:first]
