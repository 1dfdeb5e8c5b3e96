"""Submitting: a batch is taken, sent, and what came of it is recorded, until none is left."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from callspool_worker import body, events, strays
from callspool_worker.decisions import AttemptView, decide
from callspool_worker.ending import taken_event
from callspool_worker.persistence import GivenUp
from callspool_worker.telling import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.scripts import Call
    from callspool_worker.answers import Answer
    from callspool_worker.ledger import Ledger, Taken
    from callspool_worker.persistence import Persistence
    from callspool_worker.recording import Recorder


@dataclass(frozen=True, slots=True)
class Delivering:
    """How this process sends.

    ``request_timeout``: seconds, for the whole of a request. ``incarnation`` names this process
    among all that ever were. ``slots``: batches in flight at most.
    """

    accounts: tuple[str, ...]
    request_timeout: float
    max_attempts: int
    incarnation: str
    slots: int


@dataclass(frozen=True, slots=True)
class Api:
    """What a submitter needs of the API.

    ``create`` sends a body: (account, space token, body, deadline of its last byte) → answer;
    ``clock`` is that deadline's clock, in seconds.
    """

    create: Callable[[str, str, bytes, float], Answer]
    read: Callable[[str, str], Answer]
    clock: Callable[[], float]


class Submitter:
    """The actor ``submit`` without dramatiq: one for all threads of a process."""

    def __init__(
        self,
        ledger: Ledger,
        api: Api,
        recorder: Recorder,
        persistence: Persistence,
        *,
        how: Delivering,
    ) -> None:
        self._ledger = ledger
        self._api = api
        self._recorder = recorder
        self._persistence = persistence
        self._how = how
        self._slots = threading.BoundedSemaphore(how.slots)
        self._turns = itertools.count(1)

    def run(self) -> None:
        """Sends batch after batch until nothing is ready; at once if enough threads do so."""
        if not self._slots.acquire(blocking=False):
            return
        try:
            self._send_all()
        except GivenUp as reason:
            tell(events.Left(why=str(reason)))
        finally:
            self._slots.release()

    def _send_all(self) -> None:
        steps: Sequence[Call] = ()
        while not self._persistence.stopping:
            turn = next(self._turns)
            taker = f"{self._how.incarnation}:{turn}"
            started = self._api.clock()
            taken = self._persistence.until_answered(
                partial(self._ledger.record_and_take, steps, taker, self._accounts(turn))
            )
            if taken is None:
                return
            steps = self._deliver(taken, started + self._how.request_timeout)
        if steps:
            self._persistence.until_answered(partial(self._ledger.run, steps))

    def _accounts(self, turn: int) -> tuple[str, ...]:
        """The accounts, another one first each time, so that none waits for another."""
        accounts = self._how.accounts
        first = turn % len(accounts)
        return accounts[first:] + accounts[:first]

    def _deliver(self, taken: Taken, send_before: float) -> list[Call]:
        """Sends a batch; the steps that record what came of it."""
        tell(taken_event(taken))
        if self._persistence.stopping or self._api.clock() >= send_before:
            return [self._recorder.give_back(taken)]
        if taken.strays:
            recalled = self._persistence.until_answered(partial(strays.steps, self._ledger, taken))
            if recalled:
                return [self._recorder.give_back(taken), *recalled]
        if taken.gate:
            read = self._api.read(taken.lane.account, taken.lane.space_token)
            turned_away = self._recorder.after_reading(taken, read)
            if turned_away is not None:
                return turned_away
        word = None
        if self._ledger.limits.mark_attempts:
            word = body.mark(self._ledger.id, taken.attempt, taken.lane)
        content = body.compose(taken, word)
        lane = taken.lane
        began = self._api.clock()
        answer = self._api.create(lane.account, lane.space_token, content, send_before)
        seconds = self._api.clock() - began
        view = AttemptView(taken.count, taken.tries, self._how.max_attempts, taken.refused_alone)
        return self._recorder.steps(taken, view, answer, decide(answer, view), seconds)
