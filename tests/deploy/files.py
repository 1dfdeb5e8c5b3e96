"""The files under test, as those programs read them that will use them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
TOOLS = Path(sys.executable).parent
# Of this machine's own .env and override file nothing may get into the tests.
COMPOSE = (TOOLS / "docker-compose", "--env-file", os.devnull, "-f", "docker-compose.yml")


def compose(**environment: str) -> dict[str, Any]:
    """docker-compose.yml with all of its profiles, checked and resolved by docker compose."""
    result = subprocess.run(
        [*COMPOSE, "--profile", "*", "config", "--format", "json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    # What it prints is a compose file again, in which a dollar stands twice.
    resolved: dict[str, Any] = json.loads(result.stdout.replace("$$", "$"))
    return resolved


def ours(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {
        name: service
        for name, service in config["services"].items()
        if service["image"].startswith("callspool:")
    }


def seconds(duration: str) -> float:
    """A duration as docker compose prints it: 2m30s."""
    sizes = {"h": 3600, "m": 60, "s": 1}
    parts = re.findall(r"([\d.]+)([hms])", duration)
    assert "".join(number + unit for number, unit in parts) == duration, duration
    return sum(float(number) * sizes[unit] for number, unit in parts)


def image_entrypoint() -> list[str]:
    found = re.findall(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert len(found) == 1
    words: list[str] = json.loads(found[0])
    return words


def image_environment() -> dict[str, str]:
    """The variables that the last stage of the Dockerfile sets, but for PATH."""
    last = DOCKERFILE.rpartition("\nFROM ")[2].replace("\\\n", " ")
    found = dict(
        word.split("=", 1)
        for line in re.findall(r"^ENV (.*)$", last, re.MULTILINE)
        for word in line.split()
    )
    assert found.pop("PATH") == "/opt/callspool/bin:$PATH"
    return found


def manifests(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Every Kubernetes object below a folder, with the file that it is in."""
    return [
        (path, document)
        for path in sorted(folder.rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
