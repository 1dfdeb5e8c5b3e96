"""The ledger's Lua scripts: one file a verb, with the parts that they share spliced in.

Scripts lie in ``lua/<room>/<verb>.lua``; each is known by that path without its ending, as in
``writes/take``. A script names what it includes in a line ``-- include: base lanes``; the parts
lie in ``lua/include``. The shebang has to stay the first line, so they go behind the header.
Functions of the parts that a script does not use are left out: Lua would make each of them anew
at every call of the script, at some 2,000 instructions each.
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
_INCLUDE = re.compile(r"^-- include: (?P<names>.+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^ *--.*\n", re.MULTILINE)
_FUNCTION = re.compile(r"^local function (?P<name>\w+)\((?:.*\n)+?end\n", re.MULTILINE)
_WORD = re.compile(r"\w+")


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
    text = read_text(path)
    source = _complete(text) if _INCLUDE.search(text) else text
    digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(path.rpartition("/")[2], source, digest)


def _complete(text: str) -> str:
    """Returns a script with its parts, without functions that it never gets to.

    All but the first part is a function of its own: Lua seeks what a function uses among all that
    its neighbours use, but what lies further out it has at hand.
    """
    header, names, body = _INCLUDE.split(text, maxsplit=1)
    first, *others = [_COMMENT.sub("", read_text(f"include/{name}")) for name in names.split()]
    rest = "".join(others)
    functions = {found["name"]: found[0] for found in _FUNCTION.finditer(first + rest)}
    used: set[str] = set()
    reached = [_COMMENT.sub("", body), _FUNCTION.sub("", first + rest)]
    while reached:
        named = functions.keys() & set(_WORD.findall(reached.pop())) - used
        used |= named
        reached += [functions[name] for name in named]
    first, rest = [
        _FUNCTION.sub(lambda found: found[0] if found["name"] in used else "", part)
        for part in (first, rest)
    ]
    return f"{header}{first}return (function()\n{rest}{body}\nend)()\n"
