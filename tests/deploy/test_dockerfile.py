"""The Dockerfile: what hadolint says of it, and that it copies what the wheel is built from."""

from __future__ import annotations

import re
import subprocess
import tomllib

from callspool import __version__
from tests.deploy import files
from tests.deploy.files import DOCKERFILE, ROOT, TOOLS


def test_hadolint_finds_nothing() -> None:
    result = subprocess.run(
        [TOOLS / "hadolint", "--no-color", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "")


def test_it_starts_callspool_without_a_shell_and_not_as_root() -> None:
    assert files.image_entrypoint() == ["callspool"]
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"^(RUN|ADD) ", last, re.MULTILINE)


def test_the_image_is_of_the_version_that_is_built(config) -> None:
    (label,) = re.findall(r'image\.version="(.*)"', DOCKERFILE)
    assert label == __version__
    assert {one["image"] for one in files.ours(config).values()} == {f"callspool:{__version__}"}


def test_what_is_built_from_reaches_the_build() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    folders = {package.partition("/")[0] for package in packages}
    single = {"constraints.txt", "pyproject.toml", pyproject["project"]["readme"], "LICENSE"}
    let_through = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = {
        word.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    }
    assert let_through == copied
    assert folders | single <= copied


def test_every_package_comes_in_the_version_of_the_gate() -> None:
    installs = re.findall(r"pip (?:--python \S+ )?install (.*)", DOCKERFILE.replace("\\\n", " "))
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in line for line in installs)
