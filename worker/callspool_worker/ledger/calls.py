"""One typed function for each script of the ledger; nobody else knows of KEYS and ARGV.

Each builds a call; `Ledger` runs them, several in one round trip where that helps. All of them
may be run again when a reply was lost: attempts and takers make the second one harmless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool import keys
from callspool.ledger import task_ids
from callspool_worker.ledger import scripts
from callspool_worker.ledger.records import SEPARATOR, Delivery, Group, Taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool.scripts import Argument, Call
    from callspool_worker.ledger.limits import Limits

WAKE_UPS_AT_MOST = 256
"""Wake-ups that may lie in their stream: enough for every submitter of a large installation."""


def _call(name: str, partition: int, *args: Argument) -> Call:
    return scripts.load(name).call([keys.prefix(partition)], args)


def _group_arguments(group: Group) -> list[Argument]:
    lane = group.lane
    return [
        group.lane_id,
        *lane,
        group.empty_body_bytes,
        group.expires_ms,
        group.reason,
        b"".join(group.digests),
        SEPARATOR.join(group.documents),
    ]


def accept(partition: int, limits: Limits, deliveries: Iterable[Delivery]) -> Call:
    """Deduplicates the documents of messages and appends the new ones to their lanes."""
    args: list[Argument] = [
        keys.GROUP,
        limits.batch_size,
        limits.batch_bytes,
        limits.linger_ms,
        WAKE_UPS_AT_MOST,
        limits.bytes_a_document,
        limits.refusals_kept,
    ]
    for delivery in deliveries:
        args += [delivery.entry_id, delivery.spooled, len(delivery.groups), len(delivery.refusals)]
        for group in delivery.groups:
            args += _group_arguments(group)
        for refusal in delivery.refusals:
            args += [refusal.account, refusal.record]
    stream = keys.stream(keys.REQUESTS, partition)
    return scripts.load("accept").call([keys.prefix(partition), stream], args)


def take(partition: int, limits: Limits, taker: str, accounts: Sequence[str]) -> Call:
    """Takes the next batch that may be sent for one of the accounts, the first first."""
    return _call("take", partition, taker, limits.batch_size, limits.batch_bytes, *accounts)


def created(partition: int, taken: Taken, run_id: str, ids: Sequence[str], code: str) -> Call:
    """Records that the API created the documents of an attempt, with their task ids."""
    return _call(
        "created",
        partition,
        taken.batch,
        taken.attempt,
        taken.taker,
        run_id,
        task_ids.pack(ids),
        code,
        taken.states,
        taken.seal,
    )


def put_back(
    partition: int,
    taken: Taken,
    *,
    tries: int,
    delay_ms: int,
    outcome: str = "",
    code: str = "",
    detail: str = "",
) -> Call:
    """Lets the documents of an attempt wait again: nothing of it was created, provably."""
    return _call(
        "put_back",
        partition,
        taken.batch,
        taken.attempt,
        taken.taker,
        tries,
        delay_ms,
        outcome,
        code,
        detail,
        WAKE_UPS_AT_MOST,
    )


def doubt(
    partition: int, taken: Taken, *, outcome: str, code: str, detail: str, proof: bytes
) -> Call:
    """Records that nobody knows what became of an attempt that may have been sent."""
    return _call(
        "doubt",
        partition,
        taken.batch,
        taken.attempt,
        taken.taker,
        outcome,
        code,
        detail,
        proof,
    )


def resend(
    partition: int, batch: int, attempt: int, *, delay_ms: int, size: int, tries: int
) -> Call:
    """Lets documents in doubt wait again without proof, in batches of at most ``size``."""
    return _call("resend", partition, batch, attempt, delay_ms, size, tries, WAKE_UPS_AT_MOST)


def split(
    partition: int, taken: Taken, *, tries: int, outcome: str, code: str, detail: str
) -> Call:
    """Halves a batch that was refused whole; the halves start with ``tries`` tries used up."""
    return _call(
        "split",
        partition,
        taken.batch,
        taken.attempt,
        taken.taker,
        tries,
        outcome,
        code,
        detail,
        WAKE_UPS_AT_MOST,
    )


def bury(partition: int, taken: Taken, *, outcome: str, code: str, detail: str) -> Call:
    """Declares the documents of an attempt dead, with the reason."""
    return _call("bury", partition, taken.batch, taken.attempt, taken.taker, outcome, code, detail)


def park(partition: int, limits: Limits, gate: str, *, reason: str, code: str) -> Call:
    """Stops sending what lies behind a gate, and has it tried again now and then."""
    probes = limits.first_probe_ms, limits.last_probe_ms
    return _call("close_gate", partition, gate, "parked", reason, code, *probes)


def open_gate(partition: int, gate: str, lanes: int = 500, *, paused: bool = False) -> Call:
    """Lets lanes behind a gate send again: ``lanes`` of them at once, the others bit by bit.

    What an operator paused is opened only with ``paused``.
    """
    return _call("open_gate", partition, gate, lanes, WAKE_UPS_AT_MOST, int(paused))


def throttle(partition: int, account: str, delay_ms: int) -> Call:
    """Sends nothing more for the account until ``delay_ms`` have passed."""
    return _call("throttle", partition, account, delay_ms)


def lapse(partition: int, taker: str, held: str, detail: str) -> Call:
    """Puts in doubt what a taker held (``batch:attempt``) that is gone or over its lease."""
    return _call("lapse", partition, taker, held, detail)


def sweep(partition: int, limits: Limits) -> Call:
    """Wakes what is due."""
    return _call(
        "sweep",
        partition,
        200,
        WAKE_UPS_AT_MOST,
        limits.linger_ms,
        200,
        limits.first_probe_ms,
        limits.last_probe_ms,
    )


def forget(partition: int, window_ms: int, piece: int = 2000) -> Call:
    """Begins or drops a generation of identities, a bounded piece a call."""
    return _call("forget", partition, window_ms, piece)


def open_ledger(partition: int, new_id: str, fmt: int, identity: int, partitions: int) -> Call:
    """Begins the ledger if there is none, and asks by which rules it is written."""
    return _call("open_ledger", partition, new_id, fmt, identity, partitions)
