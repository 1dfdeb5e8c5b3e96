"""Accounts of the API: the token, read again when its file changes, the headers, the targets."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote, urlencode

import httpx

import callspool
from callspool.errors import CallspoolError, SettingsError
from callspool_worker import events
from callspool_worker.api.clock import always, now
from callspool_worker.api.connection import Origin
from callspool_worker.events.event import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Target(NamedTuple):
    """Where a request goes: its origin, the host to name in messages, and its path and query."""

    origin: Origin
    host: str
    path: bytes


class Outgoing(NamedTuple):
    """What is to be sent, when its last byte may be, and how much of the answer is read.

    ``body`` is None for a read; else it is a JSON object, which has two bytes at least.
    ``may_send``: asked right before the last byte.
    """

    method: bytes
    target: Target
    body: bytes | None
    send_before: float
    most: int
    may_send: Callable[[], bool] = always


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
        """Returns the token in force; looks at its file once a second at most."""
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


PLATFORM = "/api/v2/platform"
"""The path below the base URL under which every endpoint lies (S)."""


class Revealed(Protocol):
    """A secret that has to be asked for its text."""

    def reveal(self) -> str: ...


class Credentials(Protocol):
    """What of an account's settings is used here."""

    @property
    def api_token(self) -> Revealed: ...
    @property
    def org_handle(self) -> str: ...
    @property
    def api_url(self) -> str: ...
    @property
    def api_token_file(self) -> Path | None: ...


class UnknownAccount(CallspoolError):  # noqa: N818 - says what is the matter
    """A call request names an account that this worker has no credentials for."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"account {account!r} is not set up here: add it to callspool.toml")


class Access:
    """The API as one account may use it."""

    def __init__(self, name: str, credentials: Credentials) -> None:
        self.token = Token(name, credentials.api_token.reveal(), credentials.api_token_file)
        self._base = _base_url(name, credentials.api_url)
        self.origin = _origin(self._base)
        self._fixed = _fixed_headers(name, self._base, credentials.org_handle)
        if not can_be_sent(self.token.text()):
            raise SettingsError(
                f"account {name!r}: the API token is empty or not one word; set it again"
            )

    def target(
        self, path: tuple[str, ...], params: Mapping[str, str | int] | None = None
    ) -> Target:
        """Returns where an endpoint is; every step of the path is percent-encoded."""
        steps = "".join(f"{_step(step)}/" for step in path)
        query = f"?{urlencode(params)}" if params else ""
        root = self._base.raw_path.decode().rstrip("/")
        return Target(
            self.origin,
            self._base.netloc.decode(),
            f"{root}{PLATFORM}/{steps}{query}".encode("ascii"),
        )

    def headers(self, token: str) -> list[bytes]:
        """Returns the head of a request as the API asks for it (S), without its length."""
        return [*self._fixed, f"Authorization: Token {token}".encode()]


def _step(step: str) -> str:
    encoded = quote(step, safe="")
    # No step may lead upwards: RFC 3986 leaves dots as they are.
    return encoded.replace(".", "%2E") if step in {".", ".."} else encoded


def _base_url(name: str, api_url: str) -> httpx.URL:
    try:
        base = httpx.URL(api_url)
    except httpx.InvalidURL:
        base = httpx.URL()
    if base.scheme not in {"http", "https"} or not base.host or base.query or base.userinfo:
        raise SettingsError(f"account {name!r}: the API's URL must look like https://host")
    return base


def _origin(base: httpx.URL) -> Origin:
    default = 443 if base.scheme == "https" else 80
    return Origin(base.scheme, base.raw_host.decode(), base.port or default)


def _fixed_headers(name: str, base: httpx.URL, org_handle: str) -> list[bytes]:
    if not can_be_sent(org_handle):
        raise SettingsError(
            f"account {name!r}: the org handle is empty or not one word; set it again"
        )
    return [
        b"Host: " + base.netloc,
        b"Org-Handle: " + org_handle.encode(),
        b"Content-Type: application/json",
        b"Accept: application/json",
        b"Accept-Encoding: gzip, deflate",
        b"User-Agent: " + f"callspool/{callspool.__version__}".encode(),
    ]
