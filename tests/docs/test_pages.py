from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.make_pages import DOCS, make_pages

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")
FOLDERS = (
    "tests|benchmarks|docs|grafana|deploy|scripts|worker|producers|ledger|operators|sandbox|chaos"
    "|examples"
)
PLACE = re.compile(rf"`((?:{FOLDERS})/[\w./*-]*)`")
TEST = re.compile(r"`(test_\w+)`")


def test_the_pages_that_are_made_from_code_say_what_it_says():
    stale = [
        name
        for name, text in make_pages().items()
        if (DOCS / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run python -m scripts.make_pages"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_place_and_every_test_that_pages_name_is_there():
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    places = {place for text in texts for place in PLACE.findall(text)}
    assert sorted(place for place in places if not any(ROOT.glob(place))) == []
    code = "".join(each.read_text(encoding="utf-8") for each in ROOT.glob("tests/**/test_*.py"))
    tests = {name for text in texts for name in TEST.findall(text)}
    assert sorted(name for name in tests if f"def {name}(" not in code) == []


def test_every_module_in_the_picture_of_the_architecture_is_there():
    picture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("```")[3]
    rooms = {path.parent.name: path.parent for path in ROOT.glob("*/callspool*/*/__init__.py")}
    named = re.findall(rf"\b({'|'.join(rooms)})\.(\w+)", picture)
    assert len(named) > 15
    assert [
        f"{room}.{name}" for room, name in named if not (rooms[room] / f"{name}.py").exists()
    ] == []


def test_every_class_in_the_glossary_is_there():
    rows = (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines()
    words = [row.split("|")[1] for row in rows if row.startswith("| `")]
    named = {name for word in words for name in re.findall(r"`([A-Z]\w+)`", word)}
    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/callspool*/**/*.py"))
    assert len(named) > 50
    assert sorted(name for name in named if f"class {name}" not in code) == []


@pytest.mark.parametrize(
    ("package", "floors"),
    [
        ("operators/callspool_operators", [0]),
        ("worker/callspool_worker", [1]),
        ("producers/callspool", [2, 4]),
        ("ledger/callspool_ledger", [3]),
    ],
)
def test_every_room_stands_on_its_floor_in_the_picture(package: str, floors: list[int]):
    picture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("```")[1]
    shown = [set(re.findall(r"\w+", floor)) for floor in re.split("─+", picture)]
    rooms = {
        path.stem
        for path in (ROOT / package).iterdir()
        if path.suffix in {"", ".py"} and not path.name.startswith(("_", "."))
    }
    assert rooms - set().union(*(shown[floor] for floor in floors)) == set()
