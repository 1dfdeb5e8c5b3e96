"""The sandbox as a process: it starts, says so, ends when told, and never outlives its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from callspool_sandbox.command import sandbox, seconds
from callspool_sandbox.process import SandboxNotStarted, SandboxProcess
from chaos.processes import all_processes
from tests.sandbox.client import Client, connected, documents, eventually, raw_request

COMMAND = [sys.executable, "-m", "callspool_sandbox"]


def refusal(*options: str) -> str:
    """The one line on stderr of a sandbox that refuses to start."""
    ended = CliRunner().invoke(sandbox, ["--port", "0", *options])
    assert ended.exit_code == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_how_to_join_and_a_signal_ends_it_cleanly(number: int) -> None:
    with subprocess.Popen(
        [*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("callspool sandbox listening on http://127.0.0.1:")
        port = int(line.rpartition(":")[2])
        joins = [process.stdout.readline() for _ in range(3)]
        assert joins[0] == f"export CALLSPOOL_API_URL=http://127.0.0.1:{port}\n"
        assert [each.partition("=")[0] for each in joins[1:]] == [
            "export CALLSPOOL_API_TOKEN",
            "export CALLSPOOL_ORG_HANDLE",
        ]
        # A client that is connected must not keep it alive.
        with socket.create_connection(("127.0.0.1", port)):
            process.send_signal(number)
            assert process.wait(10) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


def test_a_port_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [*COMMAND, "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert "in use" in ended.stderr


def test_a_wrong_fault_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text('[[faults]]\nname = "explode"\n')
    assert "explode" in refusal("--faults", str(file))


def test_a_log_that_cannot_be_written_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal("--log", str(tmp_path / "missing" / "log"))


def test_an_address_that_is_not_ours_is_one_line_and_exit_code_2() -> None:
    assert "cannot listen on 192.0.2.1" in refusal("--host", "192.0.2.1")


@pytest.mark.parametrize("word", ["soon", "-1", "5m"])
def test_a_latency_that_is_no_duration_is_exit_code_2(word: str) -> None:
    ended = CliRunner().invoke(sandbox, ["--port", "0", "--latency", word])
    assert ended.exit_code == 2
    assert "no duration" in ended.stderr


@pytest.mark.parametrize(("word", "duration"), [("0.2", 0.2), (".5s", 0.5), ("50ms", 0.05)])
def test_a_latency_may_be_in_seconds_or_milliseconds(word: str, duration: float) -> None:
    assert seconds(word) == duration


def test_the_log_can_go_to_stdout() -> None:
    with subprocess.Popen([*COMMAND, "--port", "0", "--log", "-"], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline().decode().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(raw_request("STDOUT", documents("a")))
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        assert b'"created":["a"]' in run.stdout.readline()
        run.terminate()


def test_latency_is_what_a_request_takes_that_does_something() -> None:
    with SandboxProcess(latency=0.2) as process, Client(process) as client:
        started = time.monotonic()
        assert client.create("a").status_code == 200
        assert time.monotonic() - started >= 0.2


def test_it_ends_when_its_parent_is_killed() -> None:
    parent = """
import time
from callspool_sandbox.process import SandboxProcess
process = SandboxProcess().start()
print(process.url, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().decode().rpartition(":")[2])
        assert listens(port)
        process.kill()
    eventually(lambda: not listens(port))


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return False
    return True


def test_it_is_in_a_session_of_its_own(plain: Client) -> None:
    pid = plain.sandbox.pid
    assert pid is not None
    assert os.getsid(pid) == pid


def test_a_killed_sandbox_starts_again_on_its_port_with_its_log(tmp_path: Path) -> None:
    process = SandboxProcess(log=tmp_path / "log").start()
    first_url = process.url
    with Client(process) as client:
        client.create("before")
        process.kill()
        with process.start():
            assert process.url == first_url
            client.create("after")
    assert process.created_ids() == ["before", "after"]
    assert process.pid is None


def test_a_sandbox_that_cannot_start_says_why_in_one_line() -> None:
    with pytest.raises(SandboxNotStarted, match="explode") as refused:
        SandboxProcess(faults='[[faults]]\nname = "explode"\n').start()
    assert "\n" not in str(refused.value)


def test_the_token_is_not_in_the_process_list() -> None:
    with SandboxProcess(token="very-secret") as process:
        (command,) = [each.command for each in all_processes() if each.pid == process.pid]
        assert "callspool_sandbox" in command
        assert "very-secret" not in command


def test_what_is_no_http_is_answered_and_does_no_harm(plain: Client) -> None:
    with connected(plain.sandbox) as connection:
        connection.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert plain.create("a").status_code == 200


def test_a_server_may_close_idle_connections() -> None:
    impatient = SandboxProcess(faults="[server]\nkeep_alive = 0.1\n")
    with impatient, connected(impatient) as connection:
        connection.sendall(raw_request("IDLE", documents("a")))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert connection.recv(100) == b""
