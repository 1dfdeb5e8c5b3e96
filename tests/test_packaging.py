"""What pyproject.toml says of the distribution."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TARGETS = PYPROJECT["tool"]["hatch"]["build"]["targets"]


def test_the_source_distribution_takes_files_of_the_root_only() -> None:
    includes = TARGETS["sdist"]["include"]
    assert all(include.startswith("/") for include in includes), includes
    assert all((ROOT / include[1:]).exists() for include in includes), includes


def test_the_source_distribution_holds_every_package_of_the_wheel() -> None:
    roots = {include[1:] for include in TARGETS["sdist"]["include"]}
    assert {package.partition("/")[0] for package in TARGETS["wheel"]["packages"]} <= roots


def test_requirements_of_which_private_parts_are_used_end_before_the_next_major_version() -> None:
    (requirement,) = [each for each in PYPROJECT["project"]["dependencies"] if "redis" in each]
    assert ",<" in requirement


def test_make_installs_the_tools_that_the_group_of_developers_names() -> None:
    named = {re.split(r"[^\w-]", each)[0] for each in PYPROJECT["dependency-groups"]["dev"]}
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    listed = re.search(r"^DEV := (.*)$", makefile, re.MULTILINE)
    assert listed is not None
    assert set(listed[1].split()) == named


def test_no_text_sends_readers_to_an_index_that_has_no_release() -> None:
    roots = ("README.md", "docs", "producers", "ledger", "worker", "operators", "sandbox")
    files = [each for root in roots for each in (ROOT / root, *(ROOT / root).rglob("*"))]
    texts = {each: each.read_text() for each in files if each.suffix in {".md", ".py"}}
    wrong = [each.name for each, text in texts.items() if re.search(r"install '?callspool\b", text)]
    assert wrong == []
