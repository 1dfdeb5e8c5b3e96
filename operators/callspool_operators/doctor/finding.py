"""What was looked at, how it stands, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Health = Literal["ok", "warning", "problem"]

WRONG, UNREACHABLE = 2, 3
"""Exit codes."""


class DoctorFinding(NamedTuple):
    """One thing that was looked at; ``unreachable``: a server that does not answer."""

    check: str
    health: Health
    said: str
    remedy: str = ""
    unreachable: bool = False


def ok(check: str, said: str) -> DoctorFinding:
    """Something that is as it should be."""
    return DoctorFinding(check, "ok", said)


def warning(check: str, said: str, remedy: str) -> DoctorFinding:
    """Something that works, and may not for long."""
    return DoctorFinding(check, "warning", said, remedy)


def problem(check: str, said: str, remedy: str, *, unreachable: bool = False) -> DoctorFinding:
    """Something that keeps contacts from being called, or endangers the ledger."""
    return DoctorFinding(check, "problem", said, remedy, unreachable)


def worst(findings: Iterable[DoctorFinding]) -> int:
    """The exit code: 0 without a problem, 3 if a server does not answer, else 2."""
    problems = [each for each in findings if each.health == "problem"]
    if any(each.unreachable for each in problems):
        return UNREACHABLE
    return WRONG if problems else 0
