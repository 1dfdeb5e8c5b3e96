"""The settings, and the accounts among them, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

import msgspec

from callspool.errors import SettingsError
from callspool.hours.record import PlatformHours
from callspool.request.call_request import Rules
from callspool.request.identity import DEFAULT_ACCOUNT
from callspool.settings.kinds import Secret, read_token_file
from callspool.settings.table import BY_KEY, DEFAULTS
from callspool.settings.urls import redis_url_without_password
from callspool.settings.webhooks import WebhookEndpoint


@dataclass(frozen=True, kw_only=True)
class Account:
    """Named credentials of the API.

    ``max_in_flight``: at most so many requests at a time; ``max_rate``: at most so many a second.
    Both count over all workers; None means as many as the API takes.
    """

    name: str
    api_token: Secret
    org_handle: str
    api_url: str
    api_token_file: Path | None = None
    max_in_flight: int | None = None
    max_rate: float | None = None

    def current_token(self) -> Secret:
        """Returns the token that its file holds now, after a rotation; raises `SettingsError`."""
        if self.api_token_file is None:
            return self.api_token
        return read_token_file(self.api_token_file, f"account {self.name}: api_token_file")


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
