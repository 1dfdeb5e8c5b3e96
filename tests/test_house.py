"""The rules of the house that a script can measure: `python -m scripts.house` prints the table."""

from __future__ import annotations

import re

import pytest

from callspool_ledger import keys
from scripts import house


@pytest.mark.parametrize("package", house.PACKAGES)
def test_a_package_has_few_rooms_at_its_root(package: str) -> None:
    assert house.count_rooms(package) <= house.MOST_ROOMS


def test_a_class_name_has_one_meaning() -> None:
    assert {name: list(map(str, places)) for name, places in house.find_twins().items()} == {}


def test_no_function_is_named_by_a_bare_participle() -> None:
    assert list(map(str, house.find_participles())) == []


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("told", True),
        ("_settled", True),
        ("translated", True),
        ("settle", False),
        ("has_settled", False),
        ("is_known", False),
        ("embed", False),
        ("read", False),
    ],
)
def test_a_participle_is_told_from_a_verb(name: str, *, is_one: bool) -> None:
    assert house.is_participle(name) is is_one


def test_no_text_imports_upwards() -> None:
    assert house.find_imports_that_point_up() == []


def test_keys_of_redis_are_built_in_one_place() -> None:
    assert house.find_key_builders() == []


def test_every_file_can_be_seen_whole() -> None:
    assert house.find_long_files() == []


def test_every_key_that_a_script_builds_stands_in_the_table_of_keys() -> None:
    built = {
        name
        for path in house.list_files(".lua")
        for name in re.findall(r"P \.\. ':([a-z]+)", path.read_text(encoding="utf-8"))
    }
    table = (keys.__doc__ or "").split("\n")
    told = {name for line in table for name in re.findall(r"^[PAG]:([a-z]+)", line)}
    assert built - told == set()
