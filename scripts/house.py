"""Measures the house: rooms, lines, files, names with two meanings, words that are no verbs.

    python -m scripts.house          prints the table, and what breaks a rule
    python -m scripts.house --names  also lists every rename that is due

`tests/test_house.py` holds the rules in the gate.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "producers/callspool",
    "ledger/callspool_ledger",
    "worker/callspool_worker",
    "operators/callspool_operators",
    "sandbox/callspool_sandbox",
)
MOST_ROOMS = 20
"""Files and folders at the root of a package, `__init__.py` and its like apart."""
MOST_LINES = 350
"""Lines of one file."""

IRREGULAR = re.compile(
    "begun|bound|built|chosen|done|drawn|found|given|gone|heard|held|hidden|kept|"
    "known|left|lost|made|meant|met|said|seen|sent|shown|spent|stood|taken|"
    "thought|told|torn|understood|woken|won|written"
)
PUBLIC_FACE = frozenset(("__init__.py", "aio.py", "queue.py", "suppression.py", "testing.py"))
"""What of the producers stands above the ledger (docs/decisions/0017)."""

NO_PARTICIPLES = frozenset(("embed", "exceed", "feed", "need", "proceed", "seed", "speed"))

_KEY = re.compile(r"""callspool:\{|prefix\([^)]*\)\}?:|\{(?:base|prefix|self\._base)\}:""")


class Name(NamedTuple):
    """A class or a function, and where it is defined."""

    name: str
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.name}"


def list_files(*endings: str) -> list[Path]:
    """Returns the files of the packages that end so."""
    return sorted(
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in endings and "__pycache__" not in path.parts
    )


def count_rooms(package: str) -> int:
    """Counts the files and folders at a package's root."""
    entries = [entry.name for entry in (ROOT / package).iterdir()]
    return sum(not name.startswith(("__", ".")) and name != "py.typed" for name in entries)


def find_twins() -> dict[str, list[Name]]:
    """Finds the names of classes that are defined more than once; private ones count too."""
    found: dict[str, list[Name]] = defaultdict(list)
    for each in _walk_names(ast.ClassDef):
        found[each.name.lstrip("_")].append(each)
    return {name: places for name, places in sorted(found.items()) if len(places) > 1}


def find_participles() -> list[Name]:
    """Finds the functions whose whole name is a participle; properties may be one."""
    return [each for each in _walk_names(ast.FunctionDef) if is_participle(each.name)]


def is_participle(name: str) -> bool:
    """Whether a name is one word that says what was done, where a function should say what to do.

    `told` and `_settled` are; `settle` and `has_settled` are not.
    """
    word = name.strip("_")
    if "_" in word or word in NO_PARTICIPLES:
        return False
    return IRREGULAR.fullmatch(word) is not None or (len(word) > 4 and word.endswith("ed"))


def find_key_builders() -> list[Path]:
    """Finds the files that put a key of Redis together, where `keys.py` should."""
    return [
        path
        for path in list_files(".py")
        if path.name != "keys.py" and _KEY.search(_without_docstrings(path))
    ]


def find_imports_that_point_up() -> list[str]:
    """Finds modules named in texts that a lower floor loads from a higher one."""
    floors = [Path(package).name for package in PACKAGES[:4]]
    return [
        f"{path.relative_to(ROOT)}: {word}"
        for path in list_files(".py")
        for word in re.findall(r'"(callspool_\w+)[.:"]', _without_docstrings(path))
        if word in floors and floors.index(word) > _floor_of(path, floors)
    ]


def find_long_files() -> list[str]:
    """Finds the files with more lines than can be seen whole."""
    counts = {path: _count_lines(path) for path in list_files(".py", ".lua")}
    return [f"{path.relative_to(ROOT)}: {n}" for path, n in counts.items() if n > MOST_LINES]


def count_lines_outside_tests() -> int:
    """Counts the lines of Python and Lua of the whole tree, tests apart."""
    left_out = {"tests", "build", "dist"}
    return sum(
        _count_lines(path)
        for ending in ("*.py", "*.lua")
        for path in ROOT.rglob(ending)
        if not (parts := path.relative_to(ROOT).parts)[0].startswith(".")
        and parts[0] not in left_out
    )


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def _floor_of(path: Path, floors: list[str]) -> int:
    package, *rooms = path.relative_to(ROOT).parts[1:]
    if package == "callspool" and rooms[0] in PUBLIC_FACE:
        package = "callspool_ledger"
    return floors.index(package) if package in floors else len(floors)


def _walk_names(kind: type[ast.ClassDef | ast.FunctionDef]) -> Iterator[Name]:
    for path in list_files(".py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if kind is ast.ClassDef and isinstance(node, ast.ClassDef):
                yield Name(node.name, path, node.lineno)
            elif kind is not ast.ClassDef and isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef
            ):
                decorators = {ast.unparse(each) for each in node.decorator_list}
                if not any("property" in each for each in decorators):
                    yield Name(node.name, path, node.lineno)


def _without_docstrings(path: Path) -> str:
    """Returns the code of a file: no comments, and no texts that stand alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [
                each
                for each in node.body
                if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ] or [ast.Pass()]
    return ast.unparse(tree).replace("'", '"')


def main() -> None:
    """Prints the table; with ``--names`` every place that breaks a rule."""
    twins, participles = find_twins(), find_participles()
    builders, upward = find_key_builders(), find_imports_that_point_up()
    for package in PACKAGES:
        print(f"rooms at the root of {package}: {count_rooms(package)}")
    print(f"lines of Python and Lua outside tests: {count_lines_outside_tests():,}")
    print(f"Python files in the packages: {len(list_files('.py'))}")
    print(f"class names with two meanings: {len(twins)}")
    print(f"functions named by a bare participle: {len(participles)}")
    print(f"texts that import upwards: {len(upward)}")
    print(f"files that build keys outside keys.py: {len(builders)}")
    print(f"files of more than {MOST_LINES} lines: {len(find_long_files())}")
    if "--names" in sys.argv[1:]:
        for name, places in twins.items():
            print(f"{name}: {', '.join(map(str, places))}")
        for each in [*participles, *upward, *builders, *find_long_files()]:
            print(each)


if __name__ == "__main__":
    main()
