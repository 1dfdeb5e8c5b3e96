"""What was looked at, how it stands, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Health = Literal["ok", "warning", "problem"]

WRONG, UNREACHABLE = 2, 3
"""Exit codes."""


class Finding(NamedTuple):
    """One thing that was looked at; ``unreachable``: a server that does not answer."""

    check: str
    health: Health
    said: str
    remedy: str = ""
    unreachable: bool = False


def ok(check: str, said: str) -> Finding:
    """Something that is as it should be."""
    return Finding(check, "ok", said)


def warning(check: str, said: str, remedy: str) -> Finding:
    """Something that works, and may not for long."""
    return Finding(check, "warning", said, remedy)


def problem(check: str, said: str, remedy: str, *, unreachable: bool = False) -> Finding:
    """Something that keeps contacts from being called, or endangers the ledger."""
    return Finding(check, "problem", said, remedy, unreachable)


def worst(findings: Iterable[Finding]) -> int:
    """The exit code: 0 without a problem, 3 if a server does not answer, else 2."""
    problems = [each for each in findings if each.health == "problem"]
    if any(each.unreachable for each in problems):
        return UNREACHABLE
    return WRONG if problems else 0
