"""Faults of the API in TOML, as the sandbox reads them."""

from __future__ import annotations

import json


def fault(where: str = "after", *, name: str = "status", times: int = 1, **more: object) -> str:
    """One fault of creating; a 500 unless ``name`` or ``status`` say otherwise."""
    fields: dict[str, object] = {"name": name, "where": where, "times": times}
    return entry(**fields, **({"status": 500} if name == "status" else {}) | more)


def on_reads(**more: object) -> str:
    """A fault of reading back, by default a refusal of all of it."""
    return entry(**{"name": "status", "status": 403, "on": "reads"} | more)


def entry(**fields: object) -> str:
    return "[[faults]]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in fields.items() if value is not None
    )


def server(**fields: object) -> str:
    return "[server]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in fields.items()
    )
