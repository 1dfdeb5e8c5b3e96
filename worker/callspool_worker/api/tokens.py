"""An account's API token, read again when its file changes."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

from callspool_worker import events
from callspool_worker.api.clock import now
from callspool_worker.events.emitter import emit

if TYPE_CHECKING:
    from pathlib import Path

CHECK_SECONDS = 1.0
"""The time between two looks at a token's file, at least."""


class Token:
    """A token that may be rotated under a running worker; its text is never shown."""

    def __init__(self, account: str, text: str, file: Path | None = None) -> None:
        self._account = account
        self._text = text
        self._file = file
        self._seen: tuple[int, ...] | None = None
        self._next_check = 0.0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Token of account {self._account!r}>"

    def text(self) -> str:
        """The token in force; looks at its file once a second at most."""
        if self._file is not None and now() >= self._next_check:
            self._check(self._file)
        return self._text

    def differs_from(self, used: str) -> bool:
        """Whether the file, looked at now, holds another token than the one that was used."""
        if self._file is not None:
            self._check(self._file)
        return self._text != used

    def _check(self, file: Path) -> None:
        with self._lock:
            self._next_check = now() + CHECK_SECONDS
            try:
                status = file.stat()
                seen = (status.st_mtime_ns, status.st_ino, status.st_size)
                if seen != self._seen:
                    self._warn_if_open(status.st_mode)
                    self._take(file.read_text(encoding="utf-8").strip())
                    self._seen = seen
            except (OSError, UnicodeDecodeError) as unreadable:
                why = f"the token file cannot be read ({type(unreadable).__name__})"
                self._tell(f"{why}; the last token stays in use")

    def _warn_if_open(self, mode: int) -> None:
        if mode & stat.S_IROTH:
            self._tell("every user of this machine may read the token file; chmod o-r ends it")

    def _take(self, text: str) -> None:
        if not can_be_sent(text):
            self._tell(
                "the token file is empty or holds more than one word; the last token stays in use"
            )
        elif text != self._text:
            self._text = text
            self._tell("took the new API token from its file", is_fault=False)

    def _tell(self, why: str, *, is_fault: bool = True) -> None:
        emit(events.TokenFile(account=self._account, why=why, is_fault=is_fault))


def can_be_sent(text: str) -> bool:
    """Whether a text is one word that a header can carry."""
    return text.isascii() and text.isprintable() and text != "" and " " not in text
