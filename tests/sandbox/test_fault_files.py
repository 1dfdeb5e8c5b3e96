"""A fault file is checked whole before anything starts, and a mistake is one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from callspool.errors import SettingsError
from callspool_sandbox.fault_files import FaultFile, load_faults, parse_faults

DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"


def fault(**fields: object) -> bytes:
    return json.dumps({"faults": [fields]}).encode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "explode"}, "explode"),
        ({"status": 500}, "name"),
        ({"name": "status"}, "status"),
        ({"name": "status", "status": 99}, "200"),
        ({"name": "status", "status": 500, "probabilty": 0.5}, "probabilty"),
        ({"name": "status", "status": 500, "probability": 1.5}, "probability"),
        ({"name": "status", "status": 500, "where": "sometimes"}, "sometimes"),
        ({"name": "status", "status": 500, "nth": 0}, "nth"),
        ({"name": "status", "status": 500, "between": [5, 1]}, "between"),
        ({"name": "status", "status": 500, "created": 3}, "amid"),
        ({"name": "status", "status": 500, "where": "after", "created": 3}, "amid"),
        ({"name": "status", "status": 500, "on": "runs", "where": "amid"}, "create"),
        ({"name": "partial", "on": "runs"}, "create"),
        ({"name": "refuse", "field": "pilot", "on": "runs"}, "create"),
        ({"name": "cut", "on": "reads", "document_id": "a"}, "body"),
        ({"name": "drop", "where": "before_body", "document_id": "a"}, "body"),
        ({"name": "drip"}, "seconds"),
        ({"name": "drip", "seconds": 1, "pieces": 1}, "pieces"),
    ],
)
def test_a_fault_that_cannot_work_is_refused_in_one_line(
    fields: dict[str, object], words: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_faults(fault(**fields), json=True)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "faults[" in str(refused.value)


@pytest.mark.parametrize("text", [b"[[faults", b"\xff\xfe", b"[server]\nclock = 3", b"fault = []"])
def test_a_file_that_is_no_fault_file_is_refused_in_one_line(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "faults.toml"
    file.write_bytes(text)
    with pytest.raises(SettingsError, match=re.escape(str(file))) as refused:
        load_faults(file)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_faults(tmp_path / "missing.toml")


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml = tmp_path / "faults.toml"
    toml.write_text('[server]\nclock_skew = 3\n[[faults]]\nname = "hang"\nseconds = 2\n')
    same = tmp_path / "faults.json"
    same.write_text('{"server": {"clock_skew": 3}, "faults": [{"name": "hang", "seconds": 2}]}')
    assert load_faults(toml) == load_faults(same)


def test_an_empty_file_has_no_faults() -> None:
    assert parse_faults(b"") == FaultFile()


def test_every_example_of_the_documentation_is_a_valid_file() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        assert parse_faults(example.encode()) != FaultFile()


def test_the_documentation_names_every_field_of_the_format() -> None:
    text = DOCS.read_text()
    model = (Path(__file__).parents[2] / "sandbox/callspool_sandbox/fault_files.py").read_text()
    fields = set(re.findall(r"^    (\w+): ", model, re.MULTILINE))
    names = set(re.findall(r'tag="(\w+)"', model))
    assert {word for word in fields | names if f"`{word}`" not in text} == set()
