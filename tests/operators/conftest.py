"""Commands run in this process: what they print, and their exit code."""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from callspool_operators import boundary


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """The one object on stdout."""
        assert self.out.count("\n") == 1
        found = msgspec.json.decode(self.out, type=dict[str, object])
        assert isinstance(found, dict)
        return found


Call = Callable[..., Result]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Runs a command line, in a directory of its own and without the user's settings."""
    for name in [name for name in os.environ if name.startswith("CALLSPOOL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Result:
        capsys.readouterr()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            for name, value in environment.items():
                patched.setenv(name, value)
            code = boundary.run([str(each) for each in arguments])
        found = capsys.readouterr()
        return Result(code, found.out, found.err)

    return run


@pytest.fixture
def example() -> Path:
    return Path(__file__).parents[2] / "examples" / "contacts.csv"
