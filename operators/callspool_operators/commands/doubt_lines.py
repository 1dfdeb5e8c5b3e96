"""A document in doubt, told: why, and how its proof stands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from callspool.settings import load_settings
from callspool_operators.terminal.wording import format_count, local, plain, shorten_token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from callspool_ledger.reads.views import DoubtView


@dataclass(frozen=True, slots=True)
class Quiet:
    """Seconds without change before workers take a document for missing."""

    unanswered: float
    answered: float

    @classmethod
    def of_settings(cls) -> Quiet:
        """As this machine's settings say. Raises `SettingsError`."""
        settings = load_settings(os.environ)
        return cls(settings.proof_quiet, settings.proof_quiet_answered)

    def until(self, doubt: DoubtView) -> datetime:
        """When it is over, if nothing changes any more."""
        seconds = self.answered if doubt.answered else self.unanswered
        return doubt.changed_at + timedelta(seconds=seconds)


def as_object(doubt: DoubtView, quiet: Quiet) -> dict[str, object]:
    """A document in doubt as scripts read it."""
    return {
        "document_id": doubt.document_id,
        **doubt.scope._asdict(),
        "lane": doubt.lane,
        "attempt": doubt.attempt,
        "since": doubt.since,
        "reason": doubt.reason,
        "held": doubt.held or None,
        "found": doubt.found,
        "next_look": doubt.next_look_at,
        "quiet_until": None if doubt.held else quiet.until(doubt),
        "unreadable_since": doubt.unreadable_since,
    }


def lines_of(doubts: Sequence[DoubtView], quiet: Quiet) -> list[str]:
    """Documents in doubt, a line for each; what several have in common stands once, above them."""
    by_words: dict[str, list[DoubtView]] = {}
    for doubt in doubts:
        words = f"{plain(doubt.reason) or 'no reason'}; {_proof(doubt, quiet)}"
        by_words.setdefault(words, []).append(doubt)
    lines: list[str] = []
    for words, alike in by_words.items():
        if len(alike) == 1:
            lines.append(f"{_document(alike[0])}: {words}")
        else:
            lines.append(f"{format_count(len(alike), 'document')}: {words}")
            lines += [f"  {_document(each)}" for each in alike]
    return lines


def _document(doubt: DoubtView) -> str:
    campaign = f", campaign {plain(doubt.scope.campaign, 40)}" if doubt.scope.campaign else ""
    space = shorten_token(doubt.scope.space_token)
    return f"{local(doubt.since)}  {plain(doubt.document_id, 100)} (space {space}{campaign})"


def _proof(doubt: DoubtView, quiet: Quiet) -> str:
    if doubt.held:
        return f"held: {plain(doubt.held)}"
    if doubt.unreadable_since is not None:
        return (
            f"its space cannot be read back since {local(doubt.unreadable_since)}, {_next(doubt)}"
        )
    found = {None: "not looked at yet", True: "something of it was found", False: "nothing found"}
    return (
        f"being read back, {found[doubt.found]}, {_next(doubt)}, quiet until about"
        f" {local(quiet.until(doubt))}"
    )


def _next(doubt: DoubtView) -> str:
    if doubt.next_look_at is None:
        return "being looked at now"
    return f"next look at {local(doubt.next_look_at)}"
