"""Accounts: named credentials of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callspool.errors import SettingsError
from callspool.request.identity import DEFAULT_ACCOUNT, is_account_name
from callspool.request.text import kind_of
from callspool.settings.kinds import ApiUrl, HeaderWord, Kind
from callspool.settings.refused import RefusedValue
from callspool.settings.secret import Secret, read_secret_file
from callspool.settings.urls import API_URL, check_api_url

_LIMITS = ("max_in_flight", "max_rate")
_KEYS = frozenset({"api_token", "api_token_file", "org_handle", "api_url", *_LIMITS})


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a worker needs to send in somebody's name.

    ``max_in_flight`` requests, and ``max_rate`` requests a second, over all workers; None: as many
    as the API takes.
    """

    name: str
    api_token: Secret
    org_handle: str
    api_url: str
    api_token_file: Path | None = None
    max_in_flight: int | None = None
    max_rate: float | None = None

    def current_token(self) -> Secret:
        """The token as its file has it now, for after a rotation; raises `SettingsError`."""
        if self.api_token_file is None:
            return self.api_token
        return token_of_file(self.api_token_file, f"account {self.name}: api_token_file")


def token_of_file(path: Path, setting: str) -> Secret:
    """The API token in a file; raises `SettingsError`."""
    token = read_secret_file(path, setting)
    try:
        return Secret(HeaderWord().read(token))
    except RefusedValue as fault:
        reason = str(fault) or f"must hold {HeaderWord.allowed}"
        raise SettingsError(f"{setting}: {path}: {reason}") from None


def account_of(
    name: str,
    table: object,
    folder: Path,
    api_url: str,
    http_hosts: tuple[str, ...],
    kinds: Mapping[str, Kind],
) -> Account:
    """The account that a table of callspool.toml describes; raises `SettingsError`.

    ``kinds``: what settings of those names may be.
    """
    where = f"[accounts.{name}]"
    if not is_account_name(name):
        raise SettingsError(f"{where}: a name has 1 to 32 lower-case letters, digits, _ and -")
    if name == DEFAULT_ACCOUNT:
        raise SettingsError(f"{where}: is set by CALLSPOOL_API_TOKEN and CALLSPOOL_ORG_HANDLE")
    if not isinstance(table, Mapping):
        raise SettingsError(f"{where}: must be a table, not {kind_of(table)}")
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        known = ", ".join(sorted(_KEYS))
        raise SettingsError(f"{where}: {unknown[0]} is not known here; known are {known}")
    token, file = _token(table, where, folder)
    return Account(
        name=name,
        api_token=token,
        org_handle=_text(table, "org_handle", where),
        api_url=_api_url(table.get("api_url", api_url), where, http_hosts),
        api_token_file=file,
        max_in_flight=_limit(table, "max_in_flight", where, kinds),
        max_rate=_limit(table, "max_rate", where, kinds),
    )


def _token(table: Mapping[str, object], where: str, folder: Path) -> tuple[Secret, Path | None]:
    if ("api_token" in table) == ("api_token_file" in table):
        raise SettingsError(f"{where}: needs either api_token or api_token_file")
    if "api_token" in table:
        return Secret(_text(table, "api_token", where)), None
    file = folder / _text(table, "api_token_file", where, any_text=True)
    return token_of_file(file, f"{where} api_token_file"), file


def _text(table: Mapping[str, object], key: str, where: str, *, any_text: bool = False) -> str:
    value = table.get(key)
    if any_text and isinstance(value, str) and value:
        return value
    try:
        return HeaderWord().read(value)
    except RefusedValue as fault:
        reason = str(fault) or f"must be {HeaderWord.allowed}"
        raise SettingsError(f"{where} {key}: {reason}") from None


def _limit(table: Mapping[str, object], key: str, where: str, kinds: Mapping[str, Kind]) -> Any:
    if key not in table:
        return None
    try:
        return kinds[key].read(table[key])
    except RefusedValue:
        raise SettingsError(f"{where} {key}: must be {kinds[key].allowed}") from None


def _api_url(url: object, where: str, http_hosts: tuple[str, ...]) -> str:
    try:
        return check_api_url(ApiUrl().read(url), http_hosts)
    except RefusedValue as fault:
        raise SettingsError(f"{where} api_url: {str(fault) or f'must be {API_URL}'}") from None
