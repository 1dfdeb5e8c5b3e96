"""What a setting's value may be. Each kind reads text (environment) or a typed value (TOML).

Secrets are values that do not show by accident.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from callspool.errors import SettingsError
from callspool.hours.record import CampaignError, PlatformHours
from callspool.request.call_request import is_region
from callspool.request.text import MAX_WORD_BYTES, fault_of_word, is_unicode
from callspool.settings.urls import API_URL, REDIS_URL, RefusedValue, check_redis_url

_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_HEADER_WORD = re.compile(r"[\x21-\x7e]{1,4096}")
_PLAIN_LINE = re.compile(r"[\x20-\x7e]{1,4096}")
_LONGEST_SECRET = 4096


class Secret:
    """A text that neither ``str`` nor ``repr`` shows; `reveal` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Returns the secret itself, for the one place that has to send it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Kind(Protocol):
    """``allowed`` completes the sentence "must be …"; ``shown``: an error may show the value."""

    @property
    def allowed(self) -> str: ...
    @property
    def shown(self) -> bool: ...

    def read(self, value: object) -> object:
        """Returns the value; raises RefusedValue, with a text if ``allowed`` is not enough."""


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    low: int
    high: int
    shown = True

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def read(self, value: object) -> int:
        if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise RefusedValue
        if not self.low <= value <= self.high:
            raise RefusedValue
        return value


@dataclass(frozen=True)
class Number:
    """A number with or without a fraction."""

    low: float
    high: float
    shown = True

    @property
    def allowed(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise RefusedValue
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise RefusedValue from None
        if not self.low <= number <= self.high:
            raise RefusedValue
        return number


class Flag:
    """True or false."""

    allowed = "true or false"
    shown = True

    def read(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        if not isinstance(value, str) or value.strip().lower() not in _FLAGS:
            raise RefusedValue
        return _FLAGS[value.strip().lower()]


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    shown = True

    @property
    def allowed(self) -> str:
        return " or ".join(self.words)

    def read(self, value: object) -> str:
        if value not in self.words:
            raise RefusedValue
        return str(value)


VERDICTS = ("reached", "not_reached", "failed", "ended")
"""Outcomes that a call may have once it ended."""

DEFAULT_OUTCOMES = (
    "completed=reached, answered=reached, connected=reached, success=reached, "
    "no-answer=not_reached, not-answered=not_reached, unanswered=not_reached, "
    "missed=not_reached, busy=not_reached, voicemail=not_reached, declined=not_reached, "
    "rejected=not_reached, unreachable=not_reached, not-connected=not_reached, "
    "failed=failed, error=failed, cancelled=failed"
)
"""What the statuses of calls mean that are known."""


class CallOutcomes:
    """A table of words and the outcomes that they stand for."""

    allowed = f"word=outcome, …, with the outcomes {', '.join(VERDICTS)}"
    shown = True

    def read(self, value: object) -> str:
        pairs = [part.partition("=") for part in value.split(",")] if isinstance(value, str) else []
        if not pairs or any(not one.strip() or to.strip() not in VERDICTS for one, _, to in pairs):
            raise RefusedValue
        return ", ".join(f"{word.strip()}={outcome.strip()}" for word, _, outcome in pairs)


class Text:
    """A text of any length that fits a request."""

    allowed = "a text that is not blank"
    shown = False

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not value.strip() or not is_unicode(value):
            raise RefusedValue
        return value


@dataclass(frozen=True)
class TextKind:
    """A text, without the white space around it, that ``is_good`` lets pass."""

    allowed: str
    is_good: Callable[[str], object]
    shown: bool = True

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not self.is_good(value.strip()):
            raise RefusedValue
        return value.strip()


def _are_hours(hours: str, zones: str = "") -> bool:
    try:
        PlatformHours.read(hours, zones)
    except CampaignError:
        return False
    return True


ONE_LINE = TextKind(
    f"one line of at most {MAX_WORD_BYTES} bytes", lambda text: not fault_of_word(text), shown=False
)
"""What names something at the API."""

HOURS_OF_THE_DAY = TextKind("hours as 09:00-20:00, or none", _are_hours)

ZONES_BY_COUNTRY = TextKind(
    "country codes with zones, as 1=America/New_York, 61=Australia/Sydney, *=own",
    lambda text: _are_hours("00:00-24:00", text),
)

LISTEN_ADDRESS = TextKind(
    "the name or address of a host, as 127.0.0.1, 0.0.0.0 or ::1", _HOST.fullmatch
)

API_ADDRESS = TextKind(API_URL, lambda _: True, shown=False)
"""Where the API is. `check_api_url` looks at the rest, with the account in hand."""


class Region:
    """A region of phone numbers."""

    allowed = "a region of two letters that libphonenumber knows, such as IN, US or GB"
    shown = True

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not is_region(value.strip().upper()):
            raise RefusedValue
        return value.strip().upper()


class HeaderWord:
    """A text that goes into a header of each request."""

    allowed = "plain characters without spaces"
    shown = False

    def read(self, value: object) -> str:
        if isinstance(value, str) and value.startswith("Token "):
            raise RefusedValue("must be the token alone, without the word Token before it")
        if not isinstance(value, str) or not _HEADER_WORD.fullmatch(value):
            raise RefusedValue
        return value


class SecretWord:
    """The same, never shown."""

    allowed = HeaderWord.allowed
    shown = False

    def read(self, value: object) -> Secret:
        return Secret(HeaderWord().read(value))


class SecretText:
    """A secret of any plain characters, spaces among them."""

    allowed = "one line of plain characters"
    shown = False

    def read(self, value: object) -> Secret:
        if not isinstance(value, str) or not _PLAIN_LINE.fullmatch(value):
            raise RefusedValue
        return Secret(value)


class RedisUrl:
    """Where Redis is; never shown, since it may hold a password."""

    allowed = REDIS_URL
    shown = False

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise RefusedValue
        return check_redis_url(value.strip())


def read_secret_file(path: Path, setting: str) -> str:
    """Reads the one line of a secret's file; raises `SettingsError` that names the setting."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_SECRET + 1)
        text = content.decode("ascii")
    except OSError as fault:
        reason = (fault.strerror or "unknown error").lower()
        raise SettingsError(f"{setting}: cannot read {path}: {reason}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: {path} holds more than plain characters") from None
    except ValueError:
        raise SettingsError(f"{setting}: is not the path of a file") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(text) > _LONGEST_SECRET:
        size = "is empty" if not text else "is too large for a secret"
        raise SettingsError(f"{setting}: {path} {size}")
    return text


def read_token_file(path: Path, setting: str) -> Secret:
    """Reads the API token in a file; raises `SettingsError`."""
    token = read_secret_file(path, setting)
    try:
        return Secret(HeaderWord().read(token))
    except RefusedValue as fault:
        reason = str(fault) or f"must hold {HeaderWord.allowed}"
        raise SettingsError(f"{setting}: {path}: {reason}") from None
