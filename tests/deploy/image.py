"""What the image holds, without an image: a virtual environment with the wheel's packages and what
they declare to need, nothing else, readable by every user and writable by none of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tests.deploy.files import ROOT

USER = 10001
LIBRARY = f"python{sys.version_info.major}.{sys.version_info.minor}"
UNUSED = (
    "site-packages",
    "test",
    "tests",
    "config-*",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "tkinter",
)
"""Parts of Python's library that nothing here imports."""

SCRIPT = """\
#!{python}
import sys
from callspool_operators import main
sys.exit(main())
"""


class Image:
    """The image's ``/opt/callspool``, in a folder that any user may enter."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "callspool" / "bin"
        python, self.environment = _interpreter(folder)
        subprocess.run(
            [python, "-m", "venv", "--without-pip", folder / "callspool"],
            check=True,
            env={**os.environ, **self.environment},
        )
        packages = folder / "callspool" / "lib" / LIBRARY / "site-packages"
        for needed in _closure("callspool", {"worker", "server", "outbox"}):
            _copy(needed, packages)
        pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        for package in pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
            shutil.copytree(ROOT / package, packages / Path(package).name)
        command = self.bin / "callspool"
        command.write_text(SCRIPT.format(python=self.bin / "python"), encoding="utf-8")
        for path in (folder, *(folder / "callspool").rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def identity(user: str) -> dict[str, Any]:
    """Arguments of `Popen` that make root somebody ordinary: ``user`` is "uid:gid".

    Who is ordinary already stays so; only root can become somebody else.
    """
    if os.geteuid() != 0:
        return {}
    uid, gid = map(int, user.split(":"))
    return {"user": uid, "group": gid, "extra_groups": []}


def _interpreter(folder: Path) -> tuple[Path, dict[str, str]]:
    """A Python that an ordinary user can run, and the environment that it needs.

    The one of root may lie in root's home, where nobody else gets: then it is a copy. Not another
    one of the system: what packages need depends on the last digit of Python's version.
    """
    python = Path(sys.base_prefix) / "bin" / LIBRARY
    if _runs(python):
        return python, {}
    copy = folder / "python"
    shutil.copytree(
        Path(sys.base_prefix) / "lib" / LIBRARY,
        copy / "lib" / LIBRARY,
        ignore=shutil.ignore_patterns(*UNUSED),
    )
    for library in (Path(sys.base_prefix) / "lib").glob("libpython*"):
        shutil.copy2(library, copy / "lib")
    (copy / "bin").mkdir()
    shutil.copy2(python, copy / "bin")
    return copy / "bin" / LIBRARY, {"LD_LIBRARY_PATH": str(copy / "lib")}


def _runs(python: Path) -> bool:
    try:
        subprocess.run(
            [python, "-c", ""],
            check=True,
            cwd="/",
            **identity(f"{USER}:{USER}"),
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _closure(name: str, extras: set[str]) -> Iterator[Distribution]:
    """The distributions that one needs, and those that they need, each once."""
    waiting, seen = [(name, extras)], {name}
    while waiting:
        name, extras = waiting.pop()
        found = distribution(name)
        if not name.startswith("callspool"):
            yield found
        for text in found.requires or ():
            requirement = Requirement(text)
            wanted = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in extras | {""}
            )
            key = re.sub(r"[-_.]+", "-", requirement.name).lower()
            if wanted and key not in seen:
                seen.add(key)
                waiting.append((requirement.name, requirement.extras))


def _copy(installed: Distribution, packages: Path) -> None:
    for file in installed.files or ():
        if ".." not in file.parts:
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(str(installed.locate_file(file))), target)
