"""From what a run did to its report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from callspool_ledger.reads.summary import read_summary
from callspool_operators.terminal.report import NotCreated, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_operators.local.job import Job

REFUSED_BY_WORKER = "refused by a worker (callspool invalid tells why)"


def report_of(
    job: Job,
    enqueued: int,
    seconds: float,
    where: str,
    again: str,
    row_notes: Sequence[str] = (),
) -> Report:
    """The report of a run that has ended, one way or another.

    ``enqueued``: documents that the queue certainly took. Raises `QueueUnavailable`.
    """
    reader, counts = job.reader, job.intake.counts
    standing = job.tracker.standing(job.envelope.lane_id, anew=job.all_accepted)
    after = reader.ask(read_summary())
    # Rows that were read but not enqueued any more do not count: the next run reads them again.
    unknown = max(0, standing.unknown - (len(job.tracker) - enqueued))
    spooled = 0 if job.all_accepted else unknown
    refused = unknown - spooled
    states = Counter(standing.states)
    states["waiting"] += spooled
    invalid_reasons = Counter(job.intake.faults)
    if refused:
        invalid_reasons[REFUSED_BY_WORKER] += refused
    gates = after.gates if states["waiting"] else []
    before_these = job.gates_before() if gates else []
    accepted = states.total()
    duplicate = counts.duplicate + standing.duplicate
    invalid = counts.invalid + refused
    documents = {
        "read": accepted + duplicate + invalid + standing.conflict,
        "accepted": accepted,
        "duplicate": duplicate,
        "invalid": invalid,
        "conflict": standing.conflict,
        **states,
    }
    before = job.before
    return Report(
        documents=documents,
        submissions={
            outcome: number - before.submissions.get(outcome, 0)
            for outcome, number in after.submissions.items()
        },
        runs=after.runs - before.runs,
        seconds=seconds,
        invalid_reasons=invalid_reasons,
        not_created=[
            NotCreated(state, reason, number)
            for (state, reason), number in standing.reasons.items()
        ],
        gates=gates,
        paused=[gate for gate in before_these if gate.kind == "paused"],
        duplicates_since=standing.known_since,
        row_notes=row_notes,
        waiting_elsewhere=standing.elsewhere,
        where=where,
        again=again,
    )
