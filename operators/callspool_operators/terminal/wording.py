"""How commands put things into words: counts, times, JSON, and texts from elsewhere."""

import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from callspool.request import text as texts


def local(moment: datetime) -> str:
    """Returns a moment in the user's time zone, with its offset: ``2026-11-22 14:03:05+05:30``."""
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def local_of(unix_seconds: float) -> str:
    """Returns the same for unix seconds."""
    return local(datetime.fromtimestamp(unix_seconds, UTC))


def span(seconds: float) -> str:
    """Formats a span: ``0.8 s``, ``42 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // below} {small}"
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


shorten_token = texts.shorten_token
is_cut = texts.is_cut


# What JSON leaves as it is: DEL and C1, line separators, and every character that cannot be seen.
_STEERING = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000110bd\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def format_count(number: int, one: str, many: str = "") -> str:
    """Formats a number of things: ``1 row``, ``12,000 rows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def format_counts(counts: Mapping[str, int], *, always: Iterable[str] = ()) -> str:
    """Formats counts: ``12 created, 3 dead``; zero ones only where ``always`` names them."""
    wanted = set(always)
    parts = [
        f"{number:,} {name.replace('_', ' ')}"
        for name, number in counts.items()
        if number or name in wanted
    ]
    return ", ".join(parts)


def json_line(value: object) -> str:
    """Returns a value as JSON on one line, with nothing in it that steers a terminal."""
    text = msgspec.json.encode(value).decode()
    return text if text.isascii() and "\x7f" not in text else _STEERING.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def plain(text: str, most: int = 500) -> str:
    """Returns text from elsewhere on one line, cut, with nothing that steers a terminal."""
    flat = " ".join(text.split())
    if not flat.isprintable():
        flat = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in flat)
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def how_to_start_workers(where: str) -> str:
    """Returns the command that starts workers. ``where``: the flags for the ledger of a run."""
    again = f"callspool run with the same files and {where.strip()}"
    return again if where else "callspool worker"


def state_dir_flag(state_dir: str | None) -> str:
    """Returns the flag by which a command looks into the ledger of a run; "" if none is meant."""
    return f" --state-dir {shlex.quote(state_dir)}" if state_dir else ""


CONFLICT_REMEDY = (
    "another --campaign, or --id-prefix, calls them; if it is the same number without its country:"
    " --region"
)
"""What to do about rows whose ids the ledger knows with other numbers."""
