"""docs/first-call.md: its script and its commands do what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from callspool_operators.local.state import wait_until
from tests.support import cli
from tests.support.servers import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "first-call.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(SCRIPT,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_what_the_page_says_creates_the_call_of_the_own_script(tmp_path: Path) -> None:
    _, redis, sandbox, worker, script = SHELL
    places = {"6379": str(free_port()), "8900": str(free_port())}
    folder = Path(sys.executable).parent
    environment = cli.environment(tmp_path, PATH=os.environ["PATH"])

    def adapt(text: str) -> str:
        for known, own in places.items():
            text = text.replace(known, own)
        text = text.replace("callspool sandbox", f"callspool sandbox --port {places['8900']}")
        return text.replace("venv/bin/", f"{folder}/")

    shown = f"export CALLSPOOL_REDIS_URL=redis://localhost:{places['6379']}/0\n"
    (tmp_path / "first_call.py").write_text(adapt(SCRIPT))
    with ExitStack() as stack:

        def start(text: str) -> Path:
            log = tmp_path / f"log-{len(list(tmp_path.iterdir()))}"
            with log.open("wb") as out:
                process = subprocess.Popen(
                    ["bash", "-c", _exec_last(text)],
                    cwd=tmp_path,
                    env=environment,
                    stdout=out,
                    stderr=out,
                )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return log

        start(adapt(redis))
        printed = start(adapt(sandbox))
        assert wait_until(lambda: "ORG_HANDLE" in printed.read_text(), 20)
        exports = [line for line in adapt(worker).splitlines() if line.startswith("export")]
        assert exports == printed.read_text().splitlines()[1:]
        start(shown + adapt(worker))
        done = subprocess.run(
            ["bash", "-c", shown + adapt(script)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert re.match(r"created R\w+\n", done.stdout), done.stdout + done.stderr
    assert "crm-17: created" in done.stdout


def _exec_last(text: str) -> str:
    """The same commands, the last one in the place of the shell, so that it gets the signals."""
    *before, last = text.rstrip().replace("\\\n", "").splitlines()
    return "\n".join([*before, f"exec {last}"])
