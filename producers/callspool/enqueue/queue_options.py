"""What both queues share: their arguments, and how these are read from settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from callspool.errors import SettingsError
from callspool.request.call_request import Rules, is_traceparent, traceparent_of
from callspool.request.identity import DEFAULT_ACCOUNT, Scope
from callspool.request.text import plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from callspool.settings import Settings

DEFAULT_URL: Final = "redis://localhost:6379/0"
DEFAULT_TIMEOUT: Final = 5.0
DEFAULT_MAX_WAITING: Final = 10_000_000
STATUS_IDS: Final = 1000
"""The status of so many documents is read at a time."""


class Configured:
    """Holds the arguments of a queue; raises `SettingsError` for one that cannot be used."""

    def __init__(
        self,
        url_or_client: Any = DEFAULT_URL,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        region: str | None = None,
        send_e164: bool = True,
        default_context: str | None = None,
        max_waiting: int = DEFAULT_MAX_WAITING,
        current_trace: Callable[[], str | None] | None = None,
        partitions: int = 1,
    ) -> None:
        if not 0 < timeout < 86_400:
            raise SettingsError("timeout: must be more than 0 and less than 86,400 seconds")
        if max_waiting < 1:
            raise SettingsError("max_waiting: must be at least 1 document")
        if not 1 <= partitions <= 256:
            raise SettingsError("partitions: must be from 1 to 256")
        self._partitions = partitions
        self._given = url_or_client  # kept: a Sentinel client's connections need it alive
        self._timeout = float(timeout)
        self._rules = Rules(region, send_e164, default_context)
        self._max_waiting = int(max_waiting)
        self._current_trace = current_trace

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        current_trace: Callable[[], str | None] | None = None,
    ) -> Self:
        """Makes a queue from the ``CALLSPOOL_…`` settings; raises `SettingsError`."""
        from callspool.settings import load_settings  # noqa: PLC0415 - not needed otherwise

        settings = load_settings(os.environ if environ is None else environ)
        return cls.from_settings(settings, timeout=timeout, current_trace=current_trace)

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        current_trace: Callable[[], str | None] | None = None,
    ) -> Self:
        """Makes a queue from these settings."""
        return cls(
            settings.redis_url,
            timeout=timeout,
            region=settings.region,
            send_e164=settings.send_e164,
            default_context=settings.context,
            max_waiting=settings.max_waiting,
            current_trace=current_trace,
            partitions=settings.partitions,
        )

    def _trace_of(self, own: str | None, given: str | None = None) -> str | None:
        """Returns the traceparent to send: the request's own, the caller's, or the current one.

        A wrong answer of `current_trace` is ignored: tracing must not keep a call from being made.
        """
        own = own or (None if given is None else traceparent_of(given))
        if own is not None or self._current_trace is None:
            return own
        current: Any = self._current_trace()
        is_one = isinstance(current, str) and is_traceparent(current)
        return plain_text(current) if is_one else None


def scope_of(space_token: str, campaign: str | None, account: str | None) -> Scope:
    """Returns the scope of a request with these fields."""
    return Scope(*map(plain_text, (account or DEFAULT_ACCOUNT, space_token, campaign or "")))
