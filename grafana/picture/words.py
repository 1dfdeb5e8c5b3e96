"""Numbers with their units, as short as an axis wants them."""

from __future__ import annotations

import math

_STEPS = (1.0, 2.0, 5.0, 10.0)


def told(value: float, unit: str, decimals: int | None = None) -> str:
    """A value as a dashboard tells it: 90 s → 1.5 min, 0.25 → 25 %."""
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f} %"
    if unit == "bool_yes_no":
        return "yes" if value else "no"
    if unit == "s":
        return _duration(value)
    if unit == "bytes":
        return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB"))
    suffix = {"cps": "/s", "reqps": "/s"}.get(unit, "")
    if decimals is not None:
        return f"{value:,.{decimals}f}{suffix}"
    return f"{value:,.0f}{suffix}" if value == round(value) else f"{value:,.3g}{suffix}"


def _duration(seconds: float) -> str:
    if seconds >= 60:
        return f"{seconds / 60:.3g} min"
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.3g} ms"


def _scaled(value: float, step: float, names: tuple[str, ...]) -> str:
    for name in names[:-1]:
        if value < step:
            return f"{value:.3g} {name}"
        value /= step
    return f"{value:.3g} {names[-1]}"


def ceiling(value: float, unit: str = "") -> float:
    """The round number that an axis ends with, of minutes or mebibytes where it is large."""
    if value <= 0:
        return 1.0
    larger = {"s": 60.0, "bytes": 1024.0}.get(unit, 0.0)
    if larger and value > larger:
        return larger * ceiling(value / larger, unit)
    size = 10.0 ** math.floor(math.log10(value))
    round_one = next(step * size for step in _STEPS if value <= step * size * 1.0001)
    return min(round_one, larger) if larger else round_one
