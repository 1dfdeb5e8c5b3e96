"""A client of the API and servers to try it on."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from callspool_worker.api import UnpodApi
from tests.worker.api.peer import Server, always, created

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.worker.api.peer import Peer

TOKEN = "tok-5ecretW0rdOfTheDefaultAccount"


@dataclass(frozen=True)
class Hidden:
    text: str = field(repr=False)

    def reveal(self) -> str:
        return self.text


@dataclass(frozen=True)
class FakeAccount:
    api_url: str
    api_token: Hidden = Hidden(TOKEN)
    org_handle: str = "unpod.tv"
    api_token_file: Path | None = None


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as open_things:
        yield open_things


@pytest.fixture
def serve(stack: ExitStack) -> Callable[..., Server]:
    """Starts a server that behaves as told."""

    def start(
        behave: Callable[[Peer], None] | None = None, tls: ssl.SSLContext | None = None
    ) -> Server:
        return stack.enter_context(Server(behave or always(created()), tls))

    return start


@pytest.fixture
def connect(stack: ExitStack) -> Callable[..., UnpodApi]:
    """A client whose account ``default`` is at a server, or at a URL."""

    def open_client(
        at: Server | str,
        *,
        request_timeout: float = 5.0,
        max_connections: int = 8,
        ssl_context: ssl.SSLContext | None = None,
        api_token_file: Path | None = None,
    ) -> UnpodApi:
        account = FakeAccount(at if isinstance(at, str) else at.url, api_token_file=api_token_file)
        return stack.enter_context(
            UnpodApi(
                {"default": account},
                request_timeout=request_timeout,
                max_connections=max_connections,
                ssl_context=ssl_context,
            )
        )

    return open_client
