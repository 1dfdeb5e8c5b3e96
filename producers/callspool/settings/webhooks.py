"""Endpoints that events are delivered to: the tables ``[webhooks.NAME]`` of callspool.toml."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from callspool.errors import SettingsError
from callspool.request.identity import is_account_name
from callspool.request.text import kind_of
from callspool.settings.kinds import Secret, read_secret_file
from callspool.settings.urls import RefusedValue, check_webhook_url

EVENT_TYPES = (
    "created",
    "dead",
    "cancelled",
    "expired",
    "held",
    "ended",
    "evaluated",
    "lost_sight",
)
"""What the feed tells, and an endpoint may ask for."""

MOST_ENDPOINTS = 20
"""Endpoints of one installation: each has a thread in each worker process."""

SANDBOX = "sandbox"
"""The account of rehearsals; its events go to no endpoint that does not name it."""

_KEYS = frozenset({"accounts", "allow_private", "campaigns", "events", "secret_file", "url"})
_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a secret, as Standard Webhooks wants them."""


@dataclass(frozen=True, kw_only=True)
class WebhookEndpoint:
    """Where events are delivered, and which: empty ``events`` and ``campaigns`` mean all of them,
    empty ``accounts`` all but the sandbox's.

    ``allow_private``: its host may have an address of this machine or of a private network.
    """

    name: str
    url: str
    secret_file: Path
    events: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    allow_private: bool = False

    def current_secrets(self) -> list[Secret]:
        """Reads the one or two secrets that the file holds now; raises `SettingsError`."""
        where = f"[webhooks.{self.name}] secret_file"
        lines = read_secret_file(self.secret_file, where).split()
        if not 1 <= len(lines) <= 2:
            raise SettingsError(f"{where}: {self.secret_file} must hold one secret, or two")
        if not all(map(_is_secret, lines)):
            raise SettingsError(
                f"{where}: {self.secret_file}: a secret is {_PREFIX} and {_SHORTEST} to {_LONGEST}"
                " bytes in Base64; callspool webhooks secret makes one"
            )
        return [Secret(line) for line in lines]

    def wants(self, kind: str, account: str, campaign: str) -> bool:
        """Whether an event of this type, account and campaign is delivered here."""
        return (
            (not self.events or kind in self.events)
            and (account in self.accounts if self.accounts else account != SANDBOX)
            and (not self.campaigns or campaign in self.campaigns)
        )


def _is_secret(text: str) -> bool:
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(_PREFIX) and _SHORTEST <= len(secret) <= _LONGEST


def read_webhooks(tables: object, folder: Path) -> dict[str, WebhookEndpoint]:
    """Reads the endpoints of callspool.toml, whose folder is given; raises `SettingsError`."""
    if not isinstance(tables, Mapping):
        raise SettingsError("webhooks: must be tables such as [webhooks.crm]")
    if len(tables) > MOST_ENDPOINTS:
        raise SettingsError(f"webhooks: are {len(tables)}; at most {MOST_ENDPOINTS} are served")
    return {name: _read_endpoint(name, table, folder) for name, table in tables.items()}


def _read_endpoint(name: str, table: object, folder: Path) -> WebhookEndpoint:
    where = f"[webhooks.{name}]"
    if not is_account_name(name):
        raise SettingsError(f"{where}: a name has 1 to 32 lower-case letters, digits, _ and -")
    if not isinstance(table, Mapping):
        raise SettingsError(f"{where}: must be a table, not {kind_of(table)}")
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        known = ", ".join(sorted(_KEYS))
        raise SettingsError(f"{where}: {unknown[0]} is not known here; known are {known}")
    allow_private = table.get("allow_private", False)
    if not isinstance(allow_private, bool):
        raise SettingsError(f"{where} allow_private: must be true or false")
    file = table.get("secret_file")
    if not isinstance(file, str) or not file:
        raise SettingsError(f"{where} secret_file: must name the file that holds the secret")
    events = _read_names(table, "events", where)
    for kind in events:
        if kind not in EVENT_TYPES:
            raise SettingsError(f"{where} events: must be some of {', '.join(EVENT_TYPES)}")
    endpoint = WebhookEndpoint(
        name=name,
        url=_read_url(table.get("url"), where, allow_private=allow_private),
        secret_file=folder / file,
        events=events,
        accounts=_read_names(table, "accounts", where),
        campaigns=_read_names(table, "campaigns", where),
        allow_private=allow_private,
    )
    endpoint.current_secrets()
    return endpoint


def _read_url(value: object, where: str, *, allow_private: bool) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{where} url: must be an https:// URL")
    try:
        return check_webhook_url(value.strip(), allow_private=allow_private)
    except RefusedValue as fault:
        raise SettingsError(f"{where} url: {fault}") from None


def _read_names(table: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise SettingsError(f"{where} {key}: must be a list of texts")
    if not all(isinstance(value, str) and value for value in values):
        raise SettingsError(f"{where} {key}: must be a list of texts")
    return tuple(str(value) for value in values)


def host_of(url: str) -> str:
    """Returns the host of an endpoint's URL: messages may name it, the rest may be secret."""
    return urlsplit(url).hostname or ""
