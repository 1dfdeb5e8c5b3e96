"""Permits for everything, for tests in which no request waits for another."""

from __future__ import annotations

from collections.abc import Iterable

from callspool_worker.permits import Feedback


class Unlimited:
    """What a submitter asks before it takes; the API's wish to rest is respected."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self._accounts = tuple(accounts)

    def reserve(self) -> tuple[str, ...]:
        return self._accounts

    def keep(self, reserved: tuple[str, ...], used: str | None, *, looked: bool = True) -> None:
        pass

    def began(self, name: str) -> tuple[float, int]:
        return 0.0, 0

    def note_end(self, name: str, told: Feedback, began: tuple[float, int]) -> float:
        return told.rest or 0.0

    def gave_back(self, name: str) -> None:
        pass
