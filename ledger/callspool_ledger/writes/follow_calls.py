"""The scripts of looks, proofs, followed calls, and of what the guard keeps back, as methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from callspool_ledger import scripts
from callspool_ledger.reads.entries import pack_task_ids
from callspool_ledger.reads.views import OUTCOME_LETTERS
from callspool_ledger.writes.records import as_list, as_text, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.views import CallRecord
    from callspool_ledger.writes.records import Limits, Look, Taken


WAKE_UPS_AT_MOST = 256
"""Wake-ups that may lie in their stream: enough for every submitter of a large installation."""

LOOK_LEASE_MS = 10_000
"""Milliseconds between two signs of life of a looker, before another may look at its space."""

LOOK_GOOD_MS = 30_000
"""Milliseconds after its beginning in which a look may still say that documents are missing."""

BATCHES_A_LOOK = 500

Readable = Literal["read", "partly", "not"]
"""How much of a space a look could read: all that it needed, not all of its runs, or nothing."""


def count_from_1(places: Sequence[int]) -> str:
    """Places as scripts look for them in a text."""
    return "".join(f",{place + 1}" for place in places) + "," if places else ""


class ProofCalls:
    """The calls of a partition that looks and proofs make."""

    def __init__(self, keys: PartitionKeys) -> None:
        self._keys = keys

    def _call(self, name: str, *args: Argument) -> Call:
        return scripts.load(f"writes/{name}").call([self._keys.prefix], args)

    def resend(
        self,
        batch: int,
        attempt: int,
        *,
        delay_ms: int,
        size: int,
        tries: int,
        look: Look | None = None,
        places: str = "",
        alone: Sequence[int] = (),
    ) -> Call:
        """Lets documents in doubt wait again, in batches of at most ``size``.

        ``look``: the look that found them missing; None: they are sent again without proof.
        ``places``: a mask of the documents meant, empty for all. ``alone``: places of documents
        that get a batch each.
        """
        proof: list[Argument] = [look.at_ms, look.found] if look else ["", ""]
        again = (batch, attempt, delay_ms, size, tries, WAKE_UPS_AT_MOST)
        return self._call("resend", *again, *proof, LOOK_GOOD_MS, places, count_from_1(alone))

    def look(self, looker: str, accounts: Sequence[str]) -> Call:
        """Gives the looker the space that is to be read back next."""
        return self._call("look", looker, LOOK_LEASE_MS, BATCHES_A_LOOK, *accounts)

    def keep_looking(self, looker: str, space: str) -> Call:
        """Renews the lease of a look that goes on."""
        return self._call("keep_looking", looker, space, LOOK_LEASE_MS)

    def end_look(
        self, looker: str, space: str, delay_ms: int, *, read: Readable, stuck: str = ""
    ) -> Call:
        """Ends a look, at a space that could be ``read`` or not; it is looked at again after that.

        ``stuck``: why it cannot be read for now.
        """
        return self._call("end_look", looker, space, delay_ms, read, stuck)

    def observe(
        self,
        batch: int,
        attempt: int,
        *,
        found: str,
        held: str,
        began_ms: int = 0,
        gap_ms: int = 0,
    ) -> Call:
        """Keeps what a look found of an attempt in doubt, or why it cannot be proven.

        ``began_ms``: when the look began. ``gap_ms``: looks further apart leave a gap. What the API
        says stands behind a colon, and is no event's.
        """
        why = held.partition(":")[0]
        return self._call("observe", batch, attempt, found, held, began_ms, gap_ms, why)

    def record_proven(
        self,
        batch: int,
        attempt: int,
        seal: str,
        *,
        run_id: str,
        ids: Sequence[str],
        places: str,
        claim: bool,
    ) -> Call:
        """Records that documents of an attempt were found at the API, in a run.

        With ``claim`` nothing in the run says whose it is: it is taken unless another has it.
        """
        packed = pack_task_ids(ids)
        return self._call("record_proven", batch, attempt, seal, run_id, packed, places, int(claim))

    def recall(
        self,
        batch: int,
        attempt: int,
        *,
        run_id: str,
        ids: Sequence[str],
        places: str,
        is_whole: bool = True,
    ) -> Call:
        """Records documents that the API has from an attempt which Redis forgot.

        ``is_whole``: nothing more will appear in the run.
        """
        packed = pack_task_ids(ids)
        return self._call("recall", batch, attempt, run_id, packed, places, int(is_whole))

    def keep_strays(self, space: str, strays: Mapping[str, str], window_ms: int) -> Call:
        """Keeps documents that the API has and the ledger does not know, in case they return."""
        pairs = [part for pair in strays.items() for part in pair]
        return self._call("keep_strays", space, window_ms, *pairs)

    def read_back(
        self,
        space: str,
        epoch: int,
        *,
        began_ms: int,
        found: str,
        gap_ms: int,
        quiet_ms: int = 0,
        lanes: int = 500,
    ) -> Call:
        """Lets a space send again that was read back after Redis restarted, once it may.

        ``found``: what the look found, in a word; looks further apart than ``gap_ms`` leave a gap.
        """
        sizes = lanes, WAKE_UPS_AT_MOST
        return self._call("read_back", space, epoch, *sizes, began_ms, found, gap_ms, quiet_ms)


PASS_LEASE_MS = 75_000
"""Milliseconds that a pass may take from one sign of life to the next: one read, and its turn."""

BATCHES_A_PASS, DOCUMENTS_A_PASS = 5000, 100_000

LETTERS = {outcome: letter for letter, outcome in OUTCOME_LETTERS.items()}


class Unit(NamedTuple):
    """A batch whose calls are followed: since when (ms), and what the follower remembers of it.

    Of one whose calls ended, ``since_ms`` is when it is looked at. ``documents``: how many it has.
    """

    batch: int
    since_ms: int
    memory: str
    documents: int = 1


@dataclass(frozen=True, slots=True)
class FollowPass:
    """A space whose calls are to be looked at now.

    ``oldest``: batches with calls that may yet go out, the oldest first. ``due``: to be looked at
    apart from these. ``younger``: one by chance, where there are more. ``open``: batches with open
    calls. ``searched``: how far it was gone through for follow-ups.
    """

    account: str
    space_token: str
    at_ms: int
    oldest: list[Unit]
    due: list[Unit]
    younger: list[Unit]
    open: int
    searched: str = ""

    @property
    def key(self) -> str:
        """What the ledger calls the space."""
        return f"{self.account}|{self.space_token}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `record_calls` wrote: documents that are still open, and from which outcome to which."""

    open: int
    changes: list[tuple[str, str]]


class GuardedCalls(ProofCalls):
    """The calls of a partition for batches that the guard does not let go as they are."""

    def suppress(self, taken: Taken, hits: Sequence[tuple[str, str, Sequence[int]]]) -> Call:
        """Cancels documents of an attempt that must not be called; the others wait again.

        ``hits``: kind of the list, reason and places in the batch.
        """
        told: list[Argument] = []
        for kind, reason, places in hits:
            told += [kind, reason, count_from_1(places)]
        held = taken.batch, taken.attempt, taken.taker
        return self._call("suppress", *held, WAKE_UPS_AT_MOST, *told)

    def defer(self, taken: Taken, groups: Iterable[tuple[int, str, Sequence[int]]]) -> Call:
        """Puts documents aside whose numbers were called often enough; the others wait again.

        ``groups``: when they may be called (ms), their cap, and places in the batch.
        """
        told: list[Argument] = []
        for due_ms, cap, places in groups:
            told += [due_ms, cap, count_from_1(places)]
        held = taken.batch, taken.attempt, taken.taker
        return self._call("defer", *held, WAKE_UPS_AT_MOST, *told)


class FollowCalls:
    """The calls of a partition that followers make."""

    _keys: PartitionKeys

    def follow(self, follower: str, pause_ms: int, accounts: Sequence[str]) -> Call:
        """Gives the follower the space whose calls are to be looked at next.

        ``pause_ms``: between two passes, usually. The reply is read by `pass_of`.
        """
        sizes = PASS_LEASE_MS, pause_ms, BATCHES_A_PASS, DOCUMENTS_A_PASS
        return self._script("follow", follower, *sizes, *accounts)

    def keep_following(self, follower: str, space: str) -> Call:
        """Renews the lease of a pass; answers 0 if the pass is to end."""
        return self._script("keep_following", follower, space, PASS_LEASE_MS)

    def end_following(
        self,
        follower: str,
        space: str,
        delay_ms: int,
        reads: Mapping[str, int] | None = None,
        least_ms: int = 0,
    ) -> Call:
        """Ends a pass; the next one is due after that, or sooner where a batch has its own time.

        ``reads``: code → answers to its reads. ``least_ms``: until the next pass at least.
        """
        counted = [part for pair in (reads or {}).items() for part in pair]
        return self._script("end_following", follower, space, delay_ms, least_ms, *counted)

    def record_calls(
        self,
        follower: str,
        space: str,
        batch: int,
        *,
        memory: str,
        again_ms: int | Literal["kept"] | None,
        news: Mapping[int, tuple[str, CallRecord]],
        entry: BatchEntry | None = None,
        outside: Mapping[int, str] | None = None,
    ) -> Call:
        """Records what a look showed: place → outcome and call. ``entry`` tells the tasks.

        ``outside``: what let calls begin outside of their hours, by place.
        ``memory``: what the follower remembers of the batch. ``again_ms``: until it is looked at
        next, apart from the oldest ones; "kept": as before, and so is the memory. The reply is read
        by `recorded_of`.
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
            run_id, task_id, _ = (entry and entry.proof(place)) or (None, None, None)
            args += [run_id or "", pack_task_ids([task_id]) if task_id else ""]
            args.append((outside or {}).get(place, ""))
        return self._script("record_calls", *args)

    def trim_feed(self, limits: Limits) -> Call:
        """Drops a piece of what the feed need not keep; answers 1 if there is more."""
        return self._script("trim_feed", limits.events_keep_ms, limits.events_max_bytes)

    def _script(self, name: str, *args: Argument) -> Call:
        return scripts.load(f"writes/{name}").call([self._keys.prefix], args)


def pass_of(reply: object) -> FollowPass | None:
    """Returns the space in the reply to `FollowCalls.follow`, if one was due."""
    if not (parts := as_list(reply)):
        return None
    account, _, space_token = as_text(parts[0]).partition("|")
    (at_ms, count) = whole_numbers([parts[1], parts[5]])
    oldest, due, younger = (_units(as_list(part)) for part in parts[2:5])
    searched = as_text(parts[6])
    return FollowPass(account, space_token, at_ms, oldest, due, younger, count, searched)


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
    numbers = [
        whole_numbers([flat[at], flat[at + 1], flat[at + 3]]) for at in range(0, len(flat), 4)
    ]
    return [
        Unit(batch, since_ms, as_text(flat[4 * at + 2]), documents)
        for at, (batch, since_ms, documents) in enumerate(numbers)
    ]
