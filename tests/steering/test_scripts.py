from __future__ import annotations

import re
from importlib.resources import files

import pytest

from callspool_worker.ledger import scripts

READINGS = sorted(
    entry.name.removesuffix(".lua")
    for entry in (files("callspool.ledger") / "lua").iterdir()
    if entry.name.endswith(".lua")
)


def text(name: str) -> str:
    if name in READINGS:
        return (files("callspool.ledger") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    return scripts.load(name).source


@pytest.mark.parametrize("name", [*scripts.names(), *READINGS])
def test_the_header_of_a_script_tells_every_key_and_argument_that_it_uses(name: str):
    lines = text(name).splitlines()
    end = next(at for at, line in enumerate(lines[1:], 1) if not line.startswith("--"))
    header, code = "\n".join(lines[:end]), "\n".join(lines[end:])
    assert lines[1].startswith(f"-- {name}: ")
    assert "Reply: " in header
    for word in ("KEYS", "ARGV"):
        told = set(re.findall(rf"{word}\[(\d+)(?:\.\.\.)?\]", header))
        used = set(re.findall(rf"{word}\[(\d+)\]", code))
        later = set(re.findall(rf"{word}\[(\d+)\.\.\.\]", header))
        assert used <= told, f"{name} uses what its header does not tell"
        if not re.search(rf"{word}\[i", code):
            assert told - later <= used, f"the header of {name} tells what it does not use"
