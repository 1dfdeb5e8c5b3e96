"""The ledger's Lua scripts: one file a verb, with the parts they share spliced in.

A script names what it includes in a line ``-- include: base lanes``; the parts lie in
``lua/include``. The shebang has to stay the first line, so they go behind the header.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

from callspool.scripts import Script

_INCLUDE = re.compile(r"^-- include: (?P<names>.+)$", re.MULTILINE)


def names() -> list[str]:
    """The names of all scripts of the ledger."""
    folder = files("callspool_worker.ledger") / "lua"
    return sorted(
        entry.name.removesuffix(".lua") for entry in folder.iterdir() if entry.name.endswith(".lua")
    )


def text(path: str) -> str:
    """The text of one file under ``lua/``, as it lies there."""
    folder = files("callspool_worker.ledger") / "lua"
    return (folder / f"{path}.lua").read_text(encoding="utf-8")


@cache
def load(name: str) -> Script:
    """A script, complete; read once a process."""
    source = _INCLUDE.sub(_parts, text(name))
    return Script(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def _parts(include: re.Match[str]) -> str:
    return "\n".join(text(f"include/{part}") for part in include["names"].split())
