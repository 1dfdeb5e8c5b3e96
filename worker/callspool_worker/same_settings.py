"""What all workers of an installation should have alike: compared when one of them starts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callspool.settings import Settings
    from callspool_ledger.writes import Ledger

FIELD = "settings"
"""Of the hash ``P:meta``: what the worker that started last has, as JSON; no secret is in it."""

_WHY = {
    "CALLSPOOL_DEDUPE_WINDOW": "the shortest one decides when somebody may be called again",
    "CALLSPOOL_ON_DOUBT": "what one worker holds another one sends again",
    "CALLSPOOL_MARK_ATTEMPTS": "what one worker sends another one cannot prove by its mark",
    "CALLSPOOL_MAX_ATTEMPTS": "the lowest one decides when a document is dead",
}


def find_disagreements(ledger: Ledger, settings: Settings) -> list[str]:
    """Returns how these settings differ from those of the worker that started before, a line each.

    Nothing where no other worker lives: then settings were changed in order.
    """
    mine = _to_agree_on(settings)
    found, others = ledger.run_commands(
        [("HGET", ledger.keys.meta, FIELD), ("HLEN", ledger.keys.roster)]
    )
    ledger.run_commands([("HSET", ledger.keys.meta, FIELD, msgspec.json.encode(mine))])
    if not isinstance(found, bytes) or not others:
        return []
    theirs = msgspec.json.decode(found, type=dict[str, str])
    return [
        _describe(name, value, theirs[name])
        for name, value in mine.items()
        if theirs.get(name, value) != value
    ]


def _describe(name: str, mine: str, theirs: str) -> str:
    if name not in _WHY:
        return (
            f"{name} has another URL or org handle here than at a worker that runs: what one sends"
            " the other does not find when it reads back, and may send again; give all the same"
        )
    return f"{name} is {mine} here and {theirs} at a worker that runs: {_WHY[name]}; set one value"


def _to_agree_on(settings: Settings) -> Mapping[str, str]:
    values = (
        str(settings.dedupe_window),
        settings.on_doubt,
        str(settings.mark_attempts).lower(),
        str(settings.max_attempts),
    )
    accounts = {
        f"account {name}": hashlib.blake2b(
            f"{account.api_url}\0{account.org_handle}".encode(), digest_size=8
        ).hexdigest()
        for name, account in settings.accounts.items()
    }
    return dict(zip(_WHY, values, strict=True)) | accounts
