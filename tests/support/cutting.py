"""Kills in one process: a step is counted, and what runs ends before or after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process ends here; no code of the worker catches it."""


class Cuts:
    """Counts steps; ``at``: the step that is the last one, and whether it is still made."""

    def __init__(self) -> None:
        self.steps = 0
        self.at: tuple[int, bool] | None = None

    def cut(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the step as one that is counted, and may be the last."""

        def do(*args: Any, **kwargs: Any) -> Any:
            number = self.steps
            self.steps += 1
            if self.at == (number, False):
                raise Killed
            found = step(*args, **kwargs)
            if self.at == (number, True):
                raise Killed
            return found

        return do
