"""The settings as values, and among them accounts and endpoints: tables of callspool.toml."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import msgspec

from callspool.errors import SettingsError
from callspool.hours.record import PlatformHours
from callspool.request.call_request import Rules
from callspool.request.identity import DEFAULT_ACCOUNT, is_account_name
from callspool.request.text import kind_of
from callspool.settings.kinds import Secret, read_secret_file
from callspool.settings.table import BY_KEY, DEFAULTS
from callspool.settings.urls import RefusedValue, check_webhook_url, redis_url_without_password

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


@dataclass(frozen=True, kw_only=True)
class Account:
    """Named credentials of the API.

    ``max_in_flight``: most requests at a time; ``max_rate``: most requests a second.
    Both count over all workers; None means as many as the API takes.
    """

    name: str
    api_token: Secret
    org_handle: str
    api_url: str
    api_token_file: Path | None = None
    max_in_flight: int | None = None
    max_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, checked. What each one means, and its unit, is written in `table`.

    ``redis_url`` holds ``redis_password`` already, unless it came with one of its own. ``config``
    is the file that was read, if one was. ``accounts`` holds the account ``default`` where both
    its token and its handle are known.
    """

    redis_url: str = DEFAULTS["redis_url"]
    redis_password: Secret | None = DEFAULTS["redis_password"]
    partitions: int = DEFAULTS["partitions"]
    api_url: str = DEFAULTS["api_url"]
    api_token: Secret | None = DEFAULTS["api_token"]
    org_handle: str | None = DEFAULTS["org_handle"]
    batch_size: int = DEFAULTS["batch_size"]
    batch_bytes: int = DEFAULTS["batch_bytes"]
    linger: float = DEFAULTS["linger"]
    dedupe_window: int = DEFAULTS["dedupe_window"]
    request_timeout: float = DEFAULTS["request_timeout"]
    max_in_flight: int | None = DEFAULTS["max_in_flight"]
    max_rate: float | None = DEFAULTS["max_rate"]
    max_attempts: int = DEFAULTS["max_attempts"]
    proof_quiet: float = DEFAULTS["proof_quiet"]
    proof_quiet_answered: float = DEFAULTS["proof_quiet_answered"]
    mark_attempts: bool = DEFAULTS["mark_attempts"]
    on_doubt: str = DEFAULTS["on_doubt"]
    durable_takes: str = DEFAULTS["durable_takes"]
    follow: bool = DEFAULTS["follow"]
    follow_gap: float = DEFAULTS["follow_gap"]
    follow_max_rate: float = DEFAULTS["follow_max_rate"]
    follow_windows: str = DEFAULTS["follow_windows"]
    lost_sight_after: float = DEFAULTS["lost_sight_after"]
    call_outcomes: str = DEFAULTS["call_outcomes"]
    events: bool = DEFAULTS["events"]
    events_keep: float = DEFAULTS["events_keep"]
    events_max_bytes: int = DEFAULTS["events_max_bytes"]
    region: str | None = DEFAULTS["region"]
    send_e164: bool = DEFAULTS["send_e164"]
    max_waiting: int = DEFAULTS["max_waiting"]
    space_token: str | None = DEFAULTS["space_token"]
    pilot: str | None = DEFAULTS["pilot"]
    context: str | None = DEFAULTS["context"]
    close_early: int = DEFAULTS["close_early"]
    platform_hours: str = DEFAULTS["platform_hours"]
    platform_zones: str = DEFAULTS["platform_zones"]
    operator: str | None = DEFAULTS["operator"]
    log_level: str = DEFAULTS["log_level"]
    processes: int = DEFAULTS["processes"]
    threads: int = DEFAULTS["threads"]
    metrics_port: int = DEFAULTS["metrics_port"]
    metrics_host: str = DEFAULTS["metrics_host"]
    serve_port: int = DEFAULTS["serve_port"]
    serve_host: str = DEFAULTS["serve_host"]
    serve_upload_bytes: int = DEFAULTS["serve_upload_bytes"]
    config: Path | None = None
    accounts: Mapping[str, Account] = field(default_factory=dict)
    webhooks: Mapping[str, WebhookEndpoint] = field(default_factory=dict)

    @property
    def rules(self) -> Rules:
        """How call requests are read under these settings."""
        return Rules(self.region, self.send_e164, self.context)

    @property
    def platform(self) -> PlatformHours:
        """The platform's own calling hours."""
        return PlatformHours.read(self.platform_hours, self.platform_zones)

    def account(self, name: str = DEFAULT_ACCOUNT) -> Account:
        """Returns the account of that name; raises `SettingsError` that says what is missing."""
        found = self.accounts.get(name)
        if found is not None:
            return found
        if name != DEFAULT_ACCOUNT:
            raise SettingsError(f"account {name}: is not known: add [accounts.{name}] to the file")
        key = "api_token" if self.api_token is None else "org_handle"
        setting = BY_KEY[key]
        raise SettingsError(f"{setting.name}: is missing: set it, or {setting.name}_FILE")

    def to_json(self) -> bytes:
        """Returns all of it for a child process, secrets included: for a pipe, never for a log."""
        return msgspec.json.encode(self, enc_hook=_reveal)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Reads the settings that `to_json` wrote."""
        return msgspec.json.decode(data, type=cls, dec_hook=_hide)

    def __repr__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        shown["redis_url"] = redis_url_without_password(self.redis_url)
        return f"Settings({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a setting cannot be {type(value).__name__}")


def _hide(kind: type, value: object) -> object:
    return kind(value)
