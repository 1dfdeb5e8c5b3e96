"""Small pieces of text that several commands print."""

import re
import shlex
from collections.abc import Iterable, Mapping

import msgspec

from callspool import text as texts
from callspool.intake.spellings import ALTERNATE, CONTACT_NUMBER, SPELLINGS, squashed

shortened = texts.shortened
is_cut = texts.is_cut

_DIGIT = re.compile(r"\d")
_NUMBERS = frozenset({*SPELLINGS[CONTACT_NUMBER], *SPELLINGS[ALTERNATE]})
_INTERNATIONAL = re.compile(r"(\+|00)[\d\s().-]{6,}")
SHOWN_DIGITS = 4

# What JSON leaves as it is: DEL and C1, line separators, and what turns the direction of writing.
_STEERING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def counted(number: int, one: str, many: str = "") -> str:
    """``1 row``, ``12,000 rows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listing(counts: Mapping[str, int], *, always: Iterable[str] = ()) -> str:
    """``12 created, 3 dead``; what is nought is left out, unless it is to be said always."""
    wanted = set(always)
    parts = [
        f"{number:,} {name.replace('_', ' ')}"
        for name, number in counts.items()
        if number or name in wanted
    ]
    return ", ".join(parts)


def masked(number: str) -> str:
    """A phone number of which only the last digits can be read."""
    hidden = len(_DIGIT.findall(number)) - SHOWN_DIGITS
    return _DIGIT.sub("•", number, count=hidden) if hidden > 0 else number


def masked_document(raw: bytes) -> dict[str, object]:
    """The fields of a document, its phone numbers masked."""
    fields: dict[str, object] = msgspec.json.decode(raw)
    return {
        name: masked(value) if isinstance(value, str) and _is_number(name, value) else value
        for name, value in fields.items()
    }


def _is_number(name: str, value: str) -> bool:
    """Whether a field holds a phone number: a file may have more of them than the API takes."""
    return squashed(name) in _NUMBERS or bool(_INTERNATIONAL.fullmatch(value.strip()))


def document_lines(raw: bytes) -> list[str]:
    """A document, a field a line, its phone numbers masked."""
    fields = masked_document(raw)
    shown = {name: plain(name, 60) for name in fields}
    width = max(map(len, shown.values()))
    return [f"{shown[name]:<{width}}  {_on_one_line(value)}" for name, value in fields.items()]


def json_line(value: object) -> str:
    """A value as JSON on one line, with nothing in it that steers a terminal."""
    text = msgspec.json.encode(value).decode()
    return text if text.isascii() and "\x7f" not in text else _STEERING.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _on_one_line(value: object) -> str:
    return plain(value if isinstance(value, str) else msgspec.json.encode(value).decode(), 100)


def plain(text: str, most: int = 500) -> str:
    """Text from elsewhere on one line, not endless, and with nothing that steers a terminal."""
    flat = " ".join(text.split())
    if not flat.isprintable():
        flat = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in flat)
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def led_to(state_dir: str | None) -> str:
    """What a command needs behind it to look into the ledger of a run, where that is meant."""
    return f" --state-dir {shlex.quote(state_dir)}" if state_dir else ""
