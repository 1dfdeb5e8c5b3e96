from __future__ import annotations

from pathlib import Path

import pytest

from callspool_sandbox.process import SandboxProcess
from tests.support import cli
from tests.support.servers import RedisServer, free_port

SECRETS = ("tok-9f8e7d6c5b4a", "hunter2secret")


def check(arguments: list[str], env: dict[str, str], cwd: Path, code: int, *words: str) -> None:
    """The command ends with the code, one line on stderr that holds the words, and no secret."""
    result = cli.call(arguments, env, cwd)
    assert result.returncode == code, (result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    error = [line for line in result.stderr.splitlines() if line.startswith("callspool:")]
    assert len(error) == 1, result.stderr
    for word in words:
        assert word in error[0], error
    for secret in SECRETS:
        assert secret not in result.stdout + result.stderr


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    return cli.write_contacts(tmp_path / "contacts.csv", 3)


@pytest.mark.parametrize("command", ["send", "worker", "status", "run"])
def test_a_redis_that_is_not_there_is_told_with_exit_code_3(
    command: str, tmp_path: Path, env: dict[str, str], contacts: Path
):
    port = free_port()
    files = [str(contacts)] if command in {"send", "run"} else []
    url = f"redis://127.0.0.1:{port}/0"
    check([command, *files, "--redis", url], env, tmp_path, 3, str(port), "CALLSPOOL_REDIS_URL")


@pytest.mark.parametrize("command", ["send", "worker", "status"])
def test_a_wrong_password_is_told_without_the_password(
    command: str, tmp_path: Path, env: dict[str, str], contacts: Path
):
    with RedisServer("--requirepass", "right") as server:
        url = f"redis://:hunter2secret@127.0.0.1:{server.port}/0"
        files = [str(contacts)] if command == "send" else []
        check([command, *files], env | {"CALLSPOOL_REDIS_URL": url}, tmp_path, 3)


@pytest.mark.parametrize("command", ["send", "worker", "status"])
def test_a_url_that_is_none_is_told_with_exit_code_2(
    command: str, tmp_path: Path, env: dict[str, str], contacts: Path
):
    files = [str(contacts)] if command == "send" else []
    wrong = env | {"CALLSPOOL_REDIS_URL": "http://localhost:6379"}
    check([command, *files], wrong, tmp_path, 2, "CALLSPOOL_REDIS_URL")


def test_an_api_that_is_not_there_is_told_with_exit_code_3(
    tmp_path: Path, env: dict[str, str], contacts: Path
):
    port = free_port()
    away = env | {"CALLSPOOL_API_URL": f"http://127.0.0.1:{port}"}
    check(["run", str(contacts)], away, tmp_path, 3, str(port), "CALLSPOOL_API_URL")


@pytest.mark.parametrize("command", ["run", "worker"])
def test_a_missing_token_is_told_with_its_setting(
    command: str, tmp_path: Path, env: dict[str, str], contacts: Path
):
    del env["CALLSPOOL_API_TOKEN"]
    files = [str(contacts)] if command == "run" else []
    check([command, *files], env, tmp_path, 2, "CALLSPOOL_API_TOKEN")


@pytest.mark.parametrize("command", ["run", "send"])
@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("missing.csv", None, "missing.csv"),
        ("empty.csv", b"", "empty"),
        ("no-phone.csv", b"Name,City\nAda,Paris\n", "--map"),
        ("folder", "folder", "folder"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_exit_code_2(
    command: str,
    name: str,
    content: bytes | str | None,
    word: str,
    tmp_path: Path,
    env: dict[str, str],
):
    file = tmp_path / name
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "folder":
        file.mkdir()
    check([command, str(file)], env, tmp_path, 2, word)


def test_an_unknown_or_wrong_setting_stops_the_start_with_its_name(
    tmp_path: Path, env: dict[str, str], contacts: Path
):
    unknown = env | {"CALLSPOOL_BATCHSIZE": "5"}
    check(["run", str(contacts)], unknown, tmp_path, 2, "BATCHSIZE", "CALLSPOOL_BATCH_SIZE")
    wrong = env | {"CALLSPOOL_BATCH_SIZE": "5000"}
    check(["run", str(contacts)], wrong, tmp_path, 2, "CALLSPOOL_BATCH_SIZE", "1000")


def test_two_runs_at_once_do_not_share_a_state_directory(
    tmp_path: Path, env: dict[str, str], contacts: Path, sandbox: SandboxProcess
):
    many = cli.write_contacts(tmp_path / "many.csv", 20_000)
    first = cli.start(["run", str(many)], env | {"CALLSPOOL_BATCH_SIZE": "10"}, tmp_path)
    while not sandbox.created_ids():
        assert first.poll() is None
    check(["run", str(contacts)], env, tmp_path, 2, "--state-dir")
    first.terminate()
    first.communicate(timeout=60)
    assert first.returncode == 130


@pytest.mark.parametrize("command", ["worker", "run"])
def test_a_certificates_file_that_is_not_there_is_told_before_anything_starts(
    command: str, tmp_path: Path, env: dict[str, str], contacts: Path
):
    files = [str(contacts), "--space-token", "S", "--pilot", "p"] if command == "run" else []
    there = env | {
        "SSL_CERT_FILE": "/nonexistent/cacert.pem",
        "CALLSPOOL_API_URL": "https://127.0.0.1:1",
        "CALLSPOOL_API_TOKEN": "tok-1",
        "CALLSPOOL_ORG_HANDLE": "org",
    }
    check([command, *files], there, tmp_path, 2, "SSL_CERT_FILE", "/nonexistent/cacert.pem")
