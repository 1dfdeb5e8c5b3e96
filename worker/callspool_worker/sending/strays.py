"""Documents that the API has from moments that Redis forgot: accepted again, they are not sent."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from callspool.request.identity import Scope, scope_tag
from callspool_worker.events.attempt_events import recalled_event
from callspool_worker.events.emitter import emit_after
from callspool_worker.sending.body import document_ids

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Call
    from callspool_ledger.writes import Ledger, Taken


def steps(ledger: Ledger, taken: Taken) -> list[Call]:
    """The steps that record as created what the API has of a batch that was taken.

    They are for after the batch was given back. Raises `LedgerUnavailable`.
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
