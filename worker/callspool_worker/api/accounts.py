"""What a request needs to know of its account: where to send it and with which headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

import httpx

import callspool
from callspool.errors import CallspoolError, SettingsError
from callspool_worker.api.api_request import Target
from callspool_worker.api.connection import Origin
from callspool_worker.api.tokens import Token, can_be_sent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
        """Where an endpoint is; every step of the path is percent-encoded."""
        steps = "".join(f"{_step(step)}/" for step in path)
        query = f"?{urlencode(params)}" if params else ""
        root = self._base.raw_path.decode().rstrip("/")
        return Target(
            self.origin,
            self._base.netloc.decode(),
            f"{root}{PLATFORM}/{steps}{query}".encode("ascii"),
        )

    def headers(self, token: str) -> list[bytes]:
        """The lines of a request's head as the API asks for them (S), but for its length."""
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
