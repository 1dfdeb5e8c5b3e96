"""Takes that are under way while a number comes onto a list, and what becomes of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from callspool.request.identity import read_document_id
from callspool_ledger.guard.guard import GuardQuestion
from callspool_ledger.reads.doubts import read_doubtful
from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.lanes import read_lane_scopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool_ledger.guard.guard import Guard
    from callspool_ledger.writes import Ledger

_LOOK_SECONDS = 0.05
_BATCHES_READ = 50
_MAY_BE_SENT = frozenset("sdh")
"""Letters of documents that a create-call holds, or that the API may still be carrying out."""


class BeingSent(NamedTuple):
    """A document that a create-call held when its number came onto a list, or that was in doubt.

    ``state``: what became of it since.
    """

    account: str
    space_token: str
    document_id: str
    state: str


class _HeldTake(NamedTuple):
    """A take that held suppressed documents, by their places; without a taker if it is over."""

    ledger: Ledger
    taker: str
    batch: int
    account: str
    space_token: str
    documents: dict[int, bytes]


class TakesInFlight:
    """Looks after the takes of all partitions; ``wait`` for them at most so many seconds."""

    def __init__(self, ledgers: Sequence[Ledger], guard: Guard, wait: float) -> None:
        self._ledgers = ledgers
        self._guard = guard
        self._wait = wait

    def find_held(self) -> list[_HeldTake]:
        """Has every take ask from now on; finds those before that hold what must not be called.

        What is in doubt counts, too: the API may still be carrying it out.
        A worker that asked before the lists changed had taken its batch before this look, so
        this look finds it.
        """
        found: list[_HeldTake] = []
        for ledger in self._ledgers:
            flag = ("HSET", ledger.keys.meta, "guarded", 1)
            _, held = ledger.run_commands([flag, ("HGETALL", ledger.keys.sending)])
            assert isinstance(held, dict)
            takes = {taker.decode(): text.decode() for taker, text in held.items()}
            numbers = {int(text.partition(":")[0]): taker for taker, text in takes.items()}
            for number in ledger.read(read_doubtful()):  # a take may have ended since
                numbers.setdefault(number, "")
            pairs = [*numbers.items()]
            for at in range(0, len(pairs), _BATCHES_READ):
                found += self._find_listed(ledger, dict(pairs[at : at + _BATCHES_READ]))
        return found

    def _find_listed(self, ledger: Ledger, numbers: dict[int, str]) -> Iterator[_HeldTake]:
        """Yields those of these batches, each with its taker, that hold what must not be called."""
        batches = ledger.batches([*numbers])
        lanes = ledger.read(read_lane_scopes(sorted({each.lane for each, _ in batches.values()})))
        asked = []
        for number, (entry, documents) in batches.items():
            account, space, campaign = lanes.get(entry.lane, (entry.account, "", ""))
            sent = {
                at: documents[at]
                for at, letter in enumerate(entry.states[: len(documents)])
                if letter in _MAY_BE_SENT
            }
            held_by = _HeldTake(ledger, numbers[number], number, account, space, sent)
            asked.append((held_by, GuardQuestion(account, campaign, [*sent.values()])))
        for clearance, (one, _) in zip(
            self._guard.screen_all([question for _, question in asked]), asked, strict=True
        ):
            struck = {place for hit in clearance.hits for place in hit.places}
            if struck:
                sent_now = [*one.documents.items()]
                yield one._replace(documents=dict(sent_now[at] for at in struck))

    def settle(self) -> list[BeingSent]:
        """Waits until such takes are over, or the time is; returns what became of the documents."""
        held = self.find_held()
        until = time.monotonic() + self._wait
        found: list[BeingSent] = []
        for one in held:
            while one.taker in one.ledger.sending() and time.monotonic() < until:
                time.sleep(_LOOK_SECONDS)
            entry = one.ledger.batches([one.batch]).get(one.batch)
            states = entry[0].states if entry else ""
            for place, document in one.documents.items():
                letter = states[place : place + 1]
                if letter not in ("w", "K", "-"):  # given back, or kept from being sent
                    state = STATES.get(letter, "sending")
                    document_id = read_document_id(document)
                    found.append(BeingSent(one.account, one.space_token, document_id, state))
        return found
