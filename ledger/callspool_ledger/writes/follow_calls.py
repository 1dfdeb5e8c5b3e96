"""The scripts that follow calls, one typed method each, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from callspool_ledger import keys, scripts
from callspool_ledger.reads.outcomes import OUTCOME_LETTERS
from callspool_ledger.writes.records import as_bytes, as_list, as_text, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.outcomes import CallRecord

PASS_LEASE_MS = 75_000
"""Milliseconds that a pass may take from one sign of life to the next: one read, and its turn."""

BATCHES_A_PASS = 200

LETTERS = {outcome: letter for letter, outcome in OUTCOME_LETTERS.items()}


class Unit(NamedTuple):
    """A batch whose calls are followed: since when (ms), and what the follower remembers of it."""

    batch: int
    since_ms: int
    memory: str


@dataclass(frozen=True, slots=True)
class FollowPass:
    """A space whose calls are to be looked at now.

    ``oldest``: batches with open calls, the oldest first, of ``open`` that there are. ``due``: to
    be looked at once more after their calls ended. ``younger``: one with open calls by chance.
    """

    account: str
    space_token: str
    at_ms: int
    oldest: list[Unit]
    due: list[Unit]
    younger: list[Unit]
    open: int

    @property
    def key(self) -> str:
        """What the ledger calls the space."""
        return f"{self.account}|{self.space_token}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `record_calls` wrote: documents that are still open, and from which outcome to which."""

    open: int
    changes: list[tuple[str, str]]


class FollowCalls:
    """The calls of a partition that followers make."""

    _keys: PartitionKeys

    def follow(self, follower: str, pause_ms: int, accounts: Sequence[str]) -> Call:
        """Gives the follower the space whose calls are to be looked at next.

        ``pause_ms``: between two passes, usually. The reply is read by `pass_of`.
        """
        sizes = PASS_LEASE_MS, pause_ms, BATCHES_A_PASS
        return self._script("follow", follower, *sizes, *accounts)

    def keep_following(self, follower: str, space: str) -> Call:
        """Renews the lease of a pass; answers 0 if the pass is to end."""
        return self._script("keep_following", follower, space, PASS_LEASE_MS)

    def end_following(
        self, follower: str, space: str, delay_ms: int, reads: Mapping[str, int] | None = None
    ) -> Call:
        """Ends a pass; the next one is due after that. ``reads``: code → answers to its reads."""
        counted = [part for pair in (reads or {}).items() for part in pair]
        return self._script("end_following", follower, space, delay_ms, *counted)

    def record_calls(
        self,
        follower: str,
        space: str,
        batch: int,
        *,
        memory: str,
        again_ms: int | None,
        news: Mapping[int, tuple[str, CallRecord]],
    ) -> Call:
        """Records what a look showed: place → outcome and call.

        ``memory``: what the follower remembers of the batch. ``again_ms``: until it is looked at
        once more after its calls ended. The reply is read by `recorded_of`.
        """
        args: list[Argument] = [
            follower,
            space,
            batch,
            memory,
            "" if again_ms is None else again_ms,
        ]
        for place, (outcome, record) in news.items():
            args += [place + 1, LETTERS[outcome], record.status, record.end_reason]
            args += [record.rings, record.started, record.ended, record.duration]
        return self._script("record_calls", *args)

    def _script(self, name: str, *args: Argument) -> Call:
        return scripts.load(f"writes/{name}").call([self._keys.prefix], args)


def allow_follow(account: str, rate: float, rest_ms: int = 0) -> Call:
    """Asks whether one more read may follow an account's calls; ms to wait, 0 if it may.

    ``rest_ms``: the API refused a read, and nothing is read for so long.
    """
    prefix = keys.account_prefix(account)
    return scripts.load("permits/allow_follow").call([prefix], [rate, rest_ms])


def pass_of(reply: object) -> FollowPass | None:
    """Returns the space in the reply to `FollowCalls.follow`, if one was due."""
    if not (parts := as_list(reply)):
        return None
    account, _, space_token = as_text(parts[0]).partition("|")
    (at_ms, count) = whole_numbers([parts[1], parts[5]])
    oldest, due, younger = (_units(as_list(part)) for part in parts[2:5])
    return FollowPass(account, space_token, at_ms, oldest, due, younger, count)


def recorded_of(reply: object) -> Recorded | None:
    """Returns what `FollowCalls.record_calls` wrote; None if another one follows there by now."""
    open_calls, *changes = as_list(reply)
    (left,) = whole_numbers([open_calls])
    if left < 0:
        return None
    named = [as_text(change) for change in changes]
    names = [(OUTCOME_LETTERS.get(one[0], "lost_sight"), OUTCOME_LETTERS[one[1]]) for one in named]
    return Recorded(left, names)


def _units(flat: list[object]) -> list[Unit]:
    return [
        Unit(int(as_bytes(flat[at])), int(as_bytes(flat[at + 1])), as_text(flat[at + 2]))
        for at in range(0, len(flat), 3)
    ]
