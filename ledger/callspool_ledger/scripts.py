"""The ledger's Lua scripts: one file a verb, with the parts that they share spliced in.

Scripts lie in ``lua/<room>/<verb>.lua``; each is known by that path without its ending, as in
``writes/take``. A script names what it includes in a line ``-- include: base lanes``; the parts
lie in ``lua/include``. The shebang has to stay the first line, so they go behind the header.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from callspool.redis_io.scripts import Script

ROOMS = ("enqueue", "guard", "permits", "reads", "steering", "transport", "webhooks", "writes")
"""The folders of scripts; ``include`` holds parts of scripts."""

_LUA = Path(__file__).parent / "lua"
_INCLUDE = re.compile(r"^-- include: (?P<names>.+)$", re.MULTILINE)


def list_scripts(*rooms: str) -> list[str]:
    """Returns the paths of all scripts of these rooms, or of every room."""
    return sorted(
        f"{room}/{entry.stem}" for room in rooms or ROOMS for entry in (_LUA / room).glob("*.lua")
    )


def read_text(path: str) -> str:
    """Returns the text of one file under ``lua/``, as it lies there."""
    return (_LUA / f"{path}.lua").read_text(encoding="utf-8")


@cache
def load(path: str) -> Script:
    """Returns a script, complete; each is read once a process."""
    source = _INCLUDE.sub(_include_parts, read_text(path))
    digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(path.rpartition("/")[2], source, digest)


def _include_parts(include: re.Match[str]) -> str:
    return "\n".join(read_text(f"include/{part}") for part in include["names"].split())
