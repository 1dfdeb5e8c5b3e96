from __future__ import annotations

import re
from pathlib import Path

import pytest

from callspool_ledger import scripts

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "path", scripts.list_scripts("permits", "reads", "steering", "webhooks", "writes")
)
def test_the_header_of_a_script_tells_every_key_and_argument_that_it_uses(path: str):
    name = path.rpartition("/")[2]
    lines = scripts.load(path).source.splitlines()
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


@pytest.mark.parametrize("path", scripts.list_scripts())
def test_a_script_has_no_function_of_a_part_that_it_never_gets_to(path: str):
    source = scripts.load(path).source
    functions = re.findall(r"^local function (\w+)\((?:.*\n)+?end$", source, re.MULTILINE)
    unused = [name for name in functions if len(re.findall(rf"\b{name}\b", source)) == 1]
    assert unused == []


@pytest.mark.parametrize("path", sorted((scripts._LUA / "include").glob("*.lua")))
def test_a_function_of_a_part_ends_with_a_line_of_its_own(path: Path):
    text = path.read_text(encoding="utf-8")  # or the next one would be left out with it
    assert re.findall(r"^local function (\w+)", text, re.MULTILINE) == [
        found["name"] for found in scripts._FUNCTION.finditer(text)
    ]


def test_every_script_that_the_packages_load_by_its_whole_name_is_there():
    code = "".join(
        path.read_text(encoding="utf-8")
        for package in ("producers", "ledger", "worker", "operators")
        for path in (ROOT / package).rglob("*.py")
    )
    loaded = set(re.findall(r"\bload\(\s*\"([a-z_]+/[a-z_]+)\"", code))
    assert len(loaded) > 5
    assert loaded <= set(scripts.list_scripts())
