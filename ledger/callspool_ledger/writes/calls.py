"""One typed method for each script that writes; nothing else knows of KEYS and ARGV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from callspool_ledger import scripts
from callspool_ledger.keys import GROUP
from callspool_ledger.reads.entries import pack_task_ids
from callspool_ledger.writes import follow_calls
from callspool_ledger.writes.follow_calls import (
    WAKE_UPS_AT_MOST,
    FollowCalls,
    GuardedCalls,
    count_from_1,
)
from callspool_ledger.writes.records import SEPARATOR, Delivery, Group, Look, Taken

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from callspool.hours.zones import Interval
    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.writes.records import Limits

FAILURES_IN_A_ROW = 5
"""Requests of an account that fail in a row, over all workers, until its API counts as down."""

SILENT_MS = 10_000
"""Milliseconds of silence after which a process loses its entry in the roster; it may rejoin."""

HEARING_MS = 3_000
"""Milliseconds after a restart of Redis in which every living process reports, and may object."""

DOWN_FIRST_PROBE_MS = 1_000
DOWN_LAST_PROBE_MS = 15_000
"""Milliseconds between two probes of an API that is down."""


def _group_arguments(group: Group) -> list[Argument]:
    return [
        group.lane_id,
        *group.lane,
        group.empty_body_bytes,
        group.expires_ms,
        group.reason,
        group.suppressed,
        b"".join(group.digests),
        b"".join(group.numbers),
        SEPARATOR.join(group.documents),
        group.zones,
        group.cleared,
    ]


def _probes(limits: Limits | None) -> tuple[Argument, Argument]:
    return (limits.first_probe_ms, limits.last_probe_ms) if limits else ("", "")


class LedgerCalls(GuardedCalls, FollowCalls):
    """The calls of one partition: one method for each script that writes.

    Each builds a call; `Ledger` runs them, several in one round trip where that helps. All of them
    may be run again when a reply was lost: attempts and takers make the second one harmless.
    """

    def accept(self, limits: Limits, deliveries: Iterable[Delivery]) -> Call:
        """Deduplicates the documents of messages and appends the new ones to their lanes."""
        args: list[Argument] = [
            GROUP,
            limits.batch_size,
            limits.batch_bytes,
            limits.linger_ms,
            WAKE_UPS_AT_MOST,
            limits.bytes_a_document,
            limits.refusals_kept,
        ]
        for delivery in deliveries:
            args += [
                delivery.entry_id,
                delivery.spooled,
                len(delivery.groups),
                len(delivery.refusals),
            ]
            args += [delivery.trace, delivery.key]
            for group in delivery.groups:
                args += _group_arguments(group)
            for refusal in delivery.refusals:
                args += [refusal.account, refusal.record]
        streams = [self._keys.prefix, self._keys.requests]
        return scripts.load("writes/accept").call(streams, args)

    def join(self, process: str, known: int, beat: int, *, is_safe: bool) -> Call:
        """Enters a process in the roster of those that may take.

        ``known``: the highest attempt that it was given; ``beat``: its last sign of life, by
        number; ``is_safe``: its entry is known to be on disk.
        """
        return self._call("join", process, known, beat, int(is_safe))

    def report(
        self, process: str, beats: tuple[int, int], known: int, epoch: int, *, leaves: bool = False
    ) -> Call:
        """Reports that a process lives and what it was given last, and asks what Redis forgot.

        ``beats``: numbers of this sign of life, and of the last one that was answered. ``epoch``:
        the last restart that it knows of. ``leaves``: it takes nothing any more.
        """
        times = SILENT_MS, HEARING_MS
        args = *beats, known, epoch, *times, 500, WAKE_UPS_AT_MOST, int(leaves)
        return self._call("report", process, *args)

    def store_hours(self, openings: Sequence[tuple[str, int, Sequence[Interval]]]) -> Call:
        """Keeps when classes of zones are open: each by its name in P:hours, with the revision of
        its campaign that this was computed for.
        """
        args: list[Argument] = []
        for name, revision, intervals in openings:
            args += [name, revision, "".join(f"{start}-{end}," for start, end in intervals)]
        return self._call("store_hours", *args)

    def share_pace(self, parts: Mapping[str, int]) -> Call:
        """Keeps over how many partitions the pace of each campaign is shared."""
        return self._call("share_pace", *(part for pair in parts.items() for part in pair))

    def sort(
        self,
        limits: Limits,
        lane: str,
        batch: int,
        classes: Sequence[tuple[str, str, Sequence[int]]],
    ) -> Call:
        """Moves documents that wait in a lane into the lanes of their classes: each its name, its
        lane, and the places of its documents.
        """
        sizes = (limits.batch_size, limits.batch_bytes, limits.linger_ms, WAKE_UPS_AT_MOST)
        args: list[Argument] = []
        for zones, lane_of_class, places in classes:
            args += [zones, lane_of_class, count_from_1(places)]
        return self._call("sort", batch, *sizes, lane, *args)

    def take(
        self,
        limits: Limits,
        process: str,
        taker: str,
        accounts: Sequence[str],
        known: int = 0,
    ) -> Call:
        """Takes the next batch that may be sent for one of the accounts, the first first.

        ``process``: in the roster. ``known``: the highest attempt that it knows of.
        """
        sizes = limits.batch_size, limits.batch_bytes
        flags = int(limits.mark_attempts), known
        times = limits.lease_ms, limits.quiet_ms, limits.quiet_answered_ms
        return self._call("take", taker, *sizes, *flags, *times, process, *accounts)

    def record_created(
        self,
        taken: Taken,
        run_id: str,
        ids: Sequence[str],
        code: str,
        proof: bytes = b'{"answered":false}',
        quoted_ids: bytes = b"",
    ) -> Call:
        """Records that the API created the documents of an attempt, with their task ids.

        ``proof``: what a proof has to go by, should the answer belong to another request.
        ``quoted_ids``: as of the take, for the feed. The reply is read by `replies.creation_of`.
        """
        return self._call(
            "record_created",
            taken.batch,
            taken.attempt,
            taken.taker,
            run_id,
            pack_task_ids(ids),
            code,
            taken.states,
            taken.seal,
            proof,
            quoted_ids,
        )

    def put_back(
        self,
        taken: Taken,
        *,
        tries: int,
        delay_ms: int,
        outcome: str = "",
        code: str = "",
        detail: str = "",
        may_count: bool = False,
        look: str = "",
    ) -> Call:
        """Lets the documents of an attempt wait again: nothing of it was created, provably.

        ``may_count``: the guard may have counted its calls. ``look``: what a look has to go by that
        is to come before it is sent again.
        """
        return self._call(
            "put_back",
            taken.batch,
            taken.attempt,
            taken.taker,
            tries,
            delay_ms,
            outcome,
            code,
            detail,
            WAKE_UPS_AT_MOST,
            int(may_count),
            look,
        )

    def doubt(
        self, taken: Taken, *, outcome: str, code: str, detail: str, proof: bytes, earlier: str = ""
    ) -> Call:
        """Records that the outcome of an attempt that may have been sent is unknown.

        ``earlier``: the attempt, and when it began in ms, if it is not the one that was taken.
        """
        about = taken.batch, taken.attempt, taken.taker
        return self._call("doubt", *about, outcome, code, detail, proof, earlier)

    def split(
        self,
        taken: Taken,
        *,
        tries: int,
        outcome: str,
        code: str,
        detail: str,
        alone: Sequence[int] = (),
    ) -> Call:
        """Halves a batch that was refused whole; the halves start with ``tries`` tries used up.

        ``alone``: places of documents that get a batch each, the others staying together.
        """
        return self._call(
            "split",
            taken.batch,
            taken.attempt,
            taken.taker,
            tries,
            outcome,
            code,
            detail,
            WAKE_UPS_AT_MOST,
            count_from_1(alone),
        )

    def bury(
        self,
        taken: Taken,
        *,
        outcome: str,
        code: str,
        detail: str,
        unless_alike: Limits | None = None,
    ) -> Call:
        """Declares the documents of an attempt dead, with the reason.

        ``unless_alike``: not while the API creates nothing for their account; they wait then.
        """
        held = taken.batch, taken.attempt, taken.taker
        spared = *_probes(unless_alike), taken.gate if unless_alike else "", WAKE_UPS_AT_MOST
        return self._call("bury", *held, outcome, code, detail, "", "", "", *spared)

    def bury_missing(
        self,
        batch: int,
        attempt: int,
        look: Look,
        detail: str,
        *,
        code: str = "",
        unless_alike: Limits | None = None,
    ) -> Call:
        """Declares documents in doubt dead: they are missing once more, without tries left.

        ``code``: that with which the API refused them; "" if it did not.
        """
        proof = look.at_ms, look.found, follow_calls.LOOK_GOOD_MS
        spared = *_probes(unless_alike), "", WAKE_UPS_AT_MOST
        rejected = ("rejected", code) if code else ("", "")
        return self._call("bury", batch, attempt, "", *rejected, detail, *proof, *spared)

    def park(self, limits: Limits, gate: str, *, reason: str, code: str) -> Call:
        """Stops sending what lies behind a gate, and has it tried again now and then."""
        probes = limits.first_probe_ms, limits.last_probe_ms
        return self._call("close_gate", gate, reason, code, *probes)

    def open_gate(self, gate: str, lanes: int = 500, *, if_down: bool = False) -> Call:
        """Lets lanes behind a parked gate send again: ``lanes`` at once, the others bit by bit.

        With ``if_down`` only if it was closed because the API was down.
        """
        return self._call("open_gate", gate, lanes, WAKE_UPS_AT_MOST, int(if_down))

    def fail(
        self, account: str, *, reason: str, code: str, batch: int | None = None, space: str = ""
    ) -> Call:
        """Counts that an account's API failed; several in a row close its gate for a while.

        ``batch``: the one that was sent to ``space`` and failed; None if nothing could be sent.
        """
        pace = DOWN_FIRST_PROBE_MS, DOWN_LAST_PROBE_MS
        about = "" if batch is None else batch, space
        return self._call("fail", account, FAILURES_IN_A_ROW, reason, code, *pace, *about)

    def throttle(self, account: str, delay_ms: int) -> Call:
        """Sends nothing more for the account until ``delay_ms`` have passed."""
        return self._call("throttle", account, delay_ms)

    def lapse(self, taker: str, held: str, detail: str) -> Call:
        """Puts in doubt what a taker held (``batch:attempt``) that is gone or over its lease."""
        return self._call("lapse", taker, held, detail)

    def sweep(self, limits: Limits, accounts: Collection[str] = ()) -> Call:
        """Wakes what is due; ``accounts``: those that the caller sends for."""
        return self._call(
            "sweep",
            200,
            WAKE_UPS_AT_MOST,
            limits.linger_ms,
            200,
            limits.first_probe_ms,
            limits.last_probe_ms,
            *accounts,
        )

    def forget(self, window_ms: int, piece: int = 2000) -> Call:
        """Begins or drops a generation of identities, a bounded piece a call."""
        return self._call("forget", window_ms, piece)

    def open_ledger(
        self,
        limits: Limits,
        new_id: str,
        rules: tuple[int, int],
        partitions: int,
        before: Literal["", "new", "gone"],
    ) -> Call:
        """Begins the ledger if there is none, and asks by which rules it is written."""
        told = limits.lease_ms, limits.quiet_ms, before, limits.feed
        return self._call("open_ledger", new_id, *rules, partitions, *told)
