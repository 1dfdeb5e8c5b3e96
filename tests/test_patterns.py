"""Regular expressions mean the same to every Python that the packages run on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("producers", "ledger", "worker", "operators", "sandbox")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

VALUE = "\0"
"""Stands for what a text takes from elsewhere: it may be a group."""
POSSESSIVE_GROUP = re.compile(rf"(?:^|[){VALUE}])(?:[*+?]|\{{[0-9,{VALUE}]+\}})\+")


def texts(code: str) -> Iterator[str]:
    """The texts of some code, raw ones and those with values in them."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            yield node.value.decode("latin-1")
        elif isinstance(node, ast.Constant):
            yield str(node.value)


def possessive_groups(code: str) -> list[str]:
    """The texts in which a quantifier behind a group keeps what it has got.

    As a pattern it matches wrongly before Python 3.11.5: ``(?:x[0-9]{4}$)*+`` fits any text.
    """
    return [text for text in texts(code) if POSSESSIVE_GROUP.search(text)]


@pytest.mark.parametrize(
    "code",
    [
        'P = r"(?:ab)*+"',
        'P = rb"(a)++"',
        'P = r"(?:a)?+b"',
        'P = r"(?:a){2,3}+"',
        'P = rf"(?:{A})*+$"',
        'P = rf"(?:{A}a){{1,3}}+"',
        'P = rf"(?:a){{{LEAST},}}+"',
        'P = rf"{GROUP}*+"',
        'P = GROUP + rb"*+x"',
        'P = "(?:a" r"b)*+"',
    ],
)
def test_a_planted_possessive_group_is_found(code: str) -> None:
    assert possessive_groups(code)


@pytest.mark.parametrize(
    "code", ['P = r"[^a(]*+b"', 'P = r"(?:a)+"', "x = f(a) + +b", 'P = rf"(?:{A})*"']
)
def test_other_patterns_are_left_alone(code: str) -> None:
    assert possessive_groups(code) == []


def test_no_pattern_of_the_packages_has_a_possessive_quantifier_over_a_group() -> None:
    assert len(SOURCES) > 200
    found = {str(path): lines for path in SOURCES if (lines := possessive_groups(path.read_text()))}
    assert not found
