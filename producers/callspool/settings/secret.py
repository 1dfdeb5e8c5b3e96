"""Secrets: values that do not show by accident."""

from pathlib import Path

from callspool.errors import SettingsError

_LONGEST = 4096


class Secret:
    """A text that neither ``str`` nor ``repr`` shows; `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the one place that has to send it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def read_secret_file(path: Path, setting: str) -> str:
    """The one line of a secret's file; raises `SettingsError` that names the setting."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        text = content.decode("ascii")
    except OSError as fault:
        reason = (fault.strerror or "unknown error").lower()
        raise SettingsError(f"{setting}: cannot read {path}: {reason}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: {path} holds more than plain characters") from None
    except ValueError:
        raise SettingsError(f"{setting}: is not the path of a file") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(text) > _LONGEST:
        size = "is empty" if not text else "is too large for a secret"
        raise SettingsError(f"{setting}: {path} {size}")
    return text
