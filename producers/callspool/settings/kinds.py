"""What a setting's value may be. Each kind reads text (environment) or a typed value (TOML)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from callspool.request.regions import is_region
from callspool.request.text import MAX_WORD_BYTES, fault_of_word, is_unicode
from callspool.settings.refused import RefusedValue
from callspool.settings.secret import Secret
from callspool.settings.urls import API_URL, REDIS_URL, check_redis_url

_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_HEADER_WORD = re.compile(r"[\x21-\x7e]{1,4096}")
_PLAIN_LINE = re.compile(r"[\x20-\x7e]{1,4096}")


class Kind(Protocol):
    """``allowed`` completes the sentence "must be …"; ``shown``: an error may show the value."""

    @property
    def allowed(self) -> str: ...
    @property
    def shown(self) -> bool: ...

    def read(self, value: object) -> object:
        """The value; raises RefusedValue, with a text where ``allowed`` does not say it all."""


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


class Text:
    """A text of any length that fits a request."""

    allowed = "a text that is not blank"
    shown = False

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not value.strip() or not is_unicode(value):
            raise RefusedValue
        return value


class Word:
    """A text that names something at the API."""

    allowed = f"one line of at most {MAX_WORD_BYTES} bytes"
    shown = False

    def read(self, value: object) -> str:
        if not isinstance(value, str) or fault_of_word(value.strip()):
            raise RefusedValue
        return value.strip()


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
    """The same, and nobody may see it."""

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


class ApiUrl:
    """Where the API is. Which hosts may be plain http is known once all settings are read."""

    allowed = API_URL
    shown = False

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise RefusedValue
        return value.strip()


class Address:
    """Where a server listens."""

    allowed = "the name or address of a host, as 127.0.0.1, 0.0.0.0 or ::1"
    shown = True

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not _HOST.fullmatch(value.strip()):
            raise RefusedValue
        return value.strip()


class Hosts:
    """Names of hosts, with commas between them (or a list)."""

    allowed = "names of hosts with commas between them"
    shown = True

    def read(self, value: object) -> tuple[str, ...]:
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, Sequence):
            raise RefusedValue
        if not all(isinstance(name, str) and _HOST.fullmatch(name.strip()) for name in names):
            raise RefusedValue
        return tuple(name.strip().lower() for name in names)
