"""The headers of the broker's scripts tell what the scripts use."""

from __future__ import annotations

import re

import pytest

from callspool_ledger import scripts

SCRIPTS = scripts.list_scripts("transport")


@pytest.mark.parametrize("path", SCRIPTS)
def test_a_scripts_header_names_every_key_and_argument_and_the_reply(path: str) -> None:
    text = scripts.load(path).source
    lines = text.splitlines()
    header = "\n".join(line for line in lines if line.startswith("--"))
    body = "\n".join(line for line in lines if not line.startswith("--"))
    assert lines[0] == "#!lua flags=allow-oom"
    assert header.startswith(f"-- {path.rpartition('/')[2]}: ")
    assert "-- Reply: " in header
    places = re.compile(r"\b(KEYS|ARGV)\[(\d+)\]")
    assert set(places.findall(header)) == set(places.findall(body))
    rest = re.search(r"for i = (\d+), #ARGV", body)
    assert bool(rest) == ("-- then: " in header)
    if rest is not None:
        named = [int(number) for kind, number in places.findall(header) if kind == "ARGV"]
        assert int(rest.group(1)) == max(named) + 1
