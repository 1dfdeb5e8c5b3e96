"""Times and spans as people read them."""

from datetime import UTC, datetime


def local(moment: datetime) -> str:
    """A moment in the user's time zone, with its offset: ``2026-11-22 14:03:05+05:30``."""
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def local_of(unix_seconds: float) -> str:
    """The same for unix seconds."""
    return local(datetime.fromtimestamp(unix_seconds, UTC))


def span(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // below} {small}"
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
