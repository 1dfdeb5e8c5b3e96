"""The compose file, and the programs that stand in for its images."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import files
from tests.deploy.image import Image
from tests.deploy.service import Host
from tests.support.servers import server_binary

CLIENT = """\
#!{python} -P
# Stands in for valkey-cli where no client of Redis is installed: it knows -p PORT ping.
import os, sys
sys.path[:0] = {path}
import redis
port = int(sys.argv[sys.argv.index("-p") + 1])
client = redis.Redis(port=port, password=os.environ["REDISCLI_AUTH"])
print("PONG" if client.ping() else "")
"""


@pytest.fixture(scope="session")
def config() -> dict[str, Any]:
    return files.compose()


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    path = Path(tempfile.mkdtemp(prefix="callspool-deploy-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    with open_folder() as folder:
        yield Image(folder)


@pytest.fixture
def host(image: Image) -> Iterator[Host]:
    """With secrets of its own, and Valkey's programs from elsewhere."""
    with open_folder() as folder:
        config = files.compose(CALLSPOOL_SECRETS=str(_secrets(folder / "secrets")))
        yield Host(folder, config, image, _valkey(folder / "valkey-tools"))


def _secrets(secrets: Path) -> Path:
    secrets.mkdir()
    for name, text in (
        ("valkey-password", "c0rrect horse"),
        ("unpod-token", "tok-9f8e7d6c5b4a"),
        ("unpod-org-handle", "acme.example"),
    ):
        (secrets / name).write_text(f"{text}\n", encoding="utf-8")
    return secrets


def _valkey(folder: Path) -> Path:
    """`valkey-server` and `valkey-cli`, as Valkey's image has them."""
    folder.mkdir(mode=0o755)
    shutil.copy2(server_binary(), folder / "valkey-server")
    client = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if client is not None:
        shutil.copy2(client, folder / "valkey-cli")
    else:
        text = CLIENT.format(python=sys.executable, path=sys.path)
        (folder / "valkey-cli").write_text(text, encoding="utf-8")
    for program in folder.iterdir():
        program.chmod(0o755)
    return folder
