"""Where settings come from: flags, the environment, callspool.toml; the first one wins."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from callspool.errors import SettingsError
from callspool.request.identity import DEFAULT_ACCOUNT, is_account_name
from callspool.request.text import kind_of
from callspool.settings.kinds import (
    API_ADDRESS,
    HeaderWord,
    Kind,
    Secret,
    read_secret_file,
    read_token_file,
)
from callspool.settings.model import Account, Settings, read_webhooks
from callspool.settings.table import BY_KEY, CONFIG_KEY, FILE_KEYS, PREFIX, SETTINGS, Setting
from callspool.settings.urls import (
    API_URL,
    RefusedValue,
    check_api_url,
    redis_url_with_password,
)

DEFAULT_CONFIG = Path("callspool.toml")
FOR_TESTS = f"{PREFIX}TEST_"

GONE: Mapping[str, str] = {
    "allow_http": "give the account a table in callspool.toml, with allow_http = true in it",
    "exporter_host": "say callspool exporter --host HOST",
    "exporter_port": "say callspool exporter --port N",
    "log_format": "a terminal gets lines for people, everything else JSON",
}
"""Settings that earlier versions had, and what takes their place."""

_KEYS = frozenset({*BY_KEY, *FILE_KEYS, CONFIG_KEY})
_LIMITS = ("max_in_flight", "max_rate")
_ACCOUNT_KEYS = frozenset(
    {"allow_http", "api_token", "api_token_file", "org_handle", "api_url", *_LIMITS}
)


@dataclass(frozen=True)
class SettingsSource:
    """Settings by key that came from one place. Paths in it are relative to ``folder``."""

    where: str
    values: Mapping[str, object]
    folder: Path = Path()


def load_settings(
    environ: Mapping[str, str],
    config_path: str | Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Reads the settings of this process.

    ``overrides`` (flags) win over ``environ``, which wins over the TOML file: ``config_path``,
    else CALLSPOOL_CONFIG, else ./callspool.toml if it is there. An override that is None counts as
    absent, and so does a variable that is empty. Raises `SettingsError`, one line that names the
    setting and never shows a secret.
    """
    flags = SettingsSource("flag", _index_by_key(overrides or {}, "flag"))
    environment = _from_environment(environ)
    named = config_path or flags.values.get(CONFIG_KEY) or environment.values.get(CONFIG_KEY)
    file, accounts, webhooks = _from_file(named)
    sources = (flags, environment, file)
    files: dict[str, Path] = {}
    values = {setting.key: _value(setting, sources, files) for setting in SETTINGS}
    values["api_url"] = _check_default_url(values)
    if values["redis_password"] is not None:
        password = values["redis_password"].reveal()
        values["redis_url"] = redis_url_with_password(values["redis_url"], password)
    return Settings(
        **values,
        config=Path(file.where) if file.where else None,
        accounts=_accounts(values, files.get("api_token"), accounts, file.folder),
        webhooks=read_webhooks(webhooks, file.folder),
    )


def _from_environment(environ: Mapping[str, str]) -> SettingsSource:
    ours = {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and not name.startswith(FOR_TESTS)
    }
    values = _index_by_key(ours, "environment")
    return SettingsSource(
        "environment", {key: value for key, value in values.items() if value != ""}
    )


def _from_file(named: object) -> tuple[SettingsSource, Mapping[str, object], object]:
    """Reads the settings of the TOML file, its accounts and its webhooks."""
    path = DEFAULT_CONFIG if named is None else Path(str(named))
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except FileNotFoundError:
        if named is None:
            return SettingsSource("", {}), {}, {}
        raise SettingsError(f"{PREFIX}CONFIG: cannot read {path}: no such file") from None
    except OSError as fault:
        reason = (fault.strerror or "unknown error").lower()
        raise SettingsError(f"{PREFIX}CONFIG: cannot read {path}: {reason}") from None
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"{PREFIX}CONFIG: {path} is not TOML: {fault}") from None
    except ValueError:
        raise SettingsError(f"{PREFIX}CONFIG: {path} is not a text file in UTF-8") from None
    accounts, webhooks = data.pop("accounts", {}), data.pop("webhooks", {})
    if not isinstance(accounts, Mapping):
        raise SettingsError(f"accounts (in {path}): must be tables such as [accounts.sales]")
    values = _index_by_key(data, str(path))
    if CONFIG_KEY in values:
        raise _unknown(CONFIG_KEY, str(path))
    return SettingsSource(str(path), values, path.parent), accounts, webhooks


def _index_by_key(given: Mapping[str, object], where: str) -> dict[str, object]:
    """Returns the values by key, whether they are named so or as in the environment."""
    values: dict[str, object] = {}
    for name, value in given.items():
        key = name.removeprefix(PREFIX).lower()
        if key not in _KEYS or name not in (key, PREFIX + key.upper()):
            raise _unknown(name, where)
        if key in values:
            raise SettingsError(f"{PREFIX}{key.upper()}: is given twice (in {where})")
        if value is not None:
            values[key] = value
    return values


def _unknown(name: str, where: str) -> SettingsError:
    key = name.upper().removeprefix(PREFIX).lower()
    near = get_close_matches(key, sorted(_KEYS), n=1)
    shown = name[:80] if name.isprintable() else repr(name[:80])
    if key in GONE:
        return SettingsError(f"{shown}: is gone ({where}): remove it; {GONE[key]}")
    hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
    return SettingsError(f"{shown}: is not a setting of callspool ({where}){hint}")


def _value(setting: Setting, sources: tuple[SettingsSource, ...], files: dict[str, Path]) -> Any:
    """Returns the value of the first source that has it; ``files`` notes the file it came from."""
    file_key = f"{setting.key}_file"
    for source in sources:
        direct = source.values.get(setting.key)
        path = source.values.get(file_key) if setting.file else None
        if direct is not None and path is not None:
            raise SettingsError(
                f"{setting.name}: is given beside {setting.name}_FILE ({source.where}): keep one"
            )
        if direct is not None:
            return _read(setting, direct, source.where)
        if path is not None:
            name = f"{setting.name}_FILE"
            if not isinstance(path, str | Path):
                raise SettingsError(f"{name}: must be a path, not {kind_of(path)}")
            file = source.folder / path
            files[setting.key] = file
            return _read(setting, read_secret_file(file, name), str(file))
    return setting.default


def _read(setting: Setting, value: object, where: str) -> object:
    try:
        return setting.kind.read(value)
    except RefusedValue as fault:
        shown = f", not {_short(value)}" if setting.kind.shown else ""
        reason = str(fault) or f"must be {setting.kind.allowed}{shown}"
        raise SettingsError(f"{setting.name}: {reason} ({where})") from None


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _check_default_url(values: Mapping[str, Any]) -> str:
    try:
        return check_api_url(values["api_url"])
    except RefusedValue as fault:
        raise SettingsError(f"{PREFIX}API_URL: {fault}") from None


def _accounts(
    values: Mapping[str, Any],
    token_file: Path | None,
    tables: Mapping[str, object],
    folder: Path,
) -> dict[str, Account]:
    kinds = {setting.key: setting.kind for setting in SETTINGS}
    accounts = {
        name: _read_account(name, table, folder, values["api_url"], kinds)
        for name, table in tables.items()
    }
    if values["api_token"] is not None and values["org_handle"] is not None:
        accounts[DEFAULT_ACCOUNT] = Account(
            name=DEFAULT_ACCOUNT,
            api_token=values["api_token"],
            org_handle=values["org_handle"],
            api_url=values["api_url"],
            api_token_file=token_file,
            max_in_flight=values["max_in_flight"],
            max_rate=values["max_rate"],
        )
    return accounts


def _read_account(
    name: str,
    table: object,
    folder: Path,
    api_url: str,
    kinds: Mapping[str, Kind],
) -> Account:
    """Reads the account that a table of callspool.toml describes; raises `SettingsError`.

    ``kinds``: what settings of those names may be.
    """
    where = f"[accounts.{name}]"
    if not is_account_name(name):
        raise SettingsError(f"{where}: a name has 1 to 32 lower-case letters, digits, _ and -")
    if name == DEFAULT_ACCOUNT:
        raise SettingsError(f"{where}: is set by CALLSPOOL_API_TOKEN and CALLSPOOL_ORG_HANDLE")
    if not isinstance(table, Mapping):
        raise SettingsError(f"{where}: must be a table, not {kind_of(table)}")
    unknown = sorted(set(table) - _ACCOUNT_KEYS)
    if unknown:
        known = ", ".join(sorted(_ACCOUNT_KEYS))
        raise SettingsError(f"{where}: {unknown[0]} is not known here; known are {known}")
    token, file = _read_token(table, where, folder)
    return Account(
        name=name,
        api_token=token,
        org_handle=_read_text(table, "org_handle", where),
        api_url=_read_account_url(table, api_url, where),
        api_token_file=file,
        max_in_flight=_read_limit(table, "max_in_flight", where, kinds),
        max_rate=_read_limit(table, "max_rate", where, kinds),
    )


def _read_token(
    table: Mapping[str, object], where: str, folder: Path
) -> tuple[Secret, Path | None]:
    if ("api_token" in table) == ("api_token_file" in table):
        raise SettingsError(f"{where}: needs either api_token or api_token_file")
    if "api_token" in table:
        return Secret(_read_text(table, "api_token", where)), None
    file = folder / _read_text(table, "api_token_file", where, any_text=True)
    return read_token_file(file, f"{where} api_token_file"), file


def _read_text(table: Mapping[str, object], key: str, where: str, *, any_text: bool = False) -> str:
    value = table.get(key)
    if any_text and isinstance(value, str) and value:
        return value
    try:
        return HeaderWord().read(value)
    except RefusedValue as fault:
        reason = str(fault) or f"must be {HeaderWord.allowed}"
        raise SettingsError(f"{where} {key}: {reason}") from None


def _read_limit(
    table: Mapping[str, object], key: str, where: str, kinds: Mapping[str, Kind]
) -> Any:
    if key not in table:
        return None
    try:
        return kinds[key].read(table[key])
    except RefusedValue:
        raise SettingsError(f"{where} {key}: must be {kinds[key].allowed}") from None


def _read_account_url(table: Mapping[str, object], usual: str, where: str) -> str:
    allow_http = table.get("allow_http", False)
    if not isinstance(allow_http, bool):
        raise SettingsError(f"{where} allow_http: must be true or false")
    try:
        return check_api_url(API_ADDRESS.read(table.get("api_url", usual)), allow_http=allow_http)
    except RefusedValue as fault:
        raise SettingsError(f"{where} api_url: {str(fault) or f'must be {API_URL}'}") from None
