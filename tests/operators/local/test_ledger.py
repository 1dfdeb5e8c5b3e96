"""One run at a time, its data kept between runs, its server private."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from callspool.errors import CallspoolError, QueueUnavailable
from callspool_ledger.writes import Ledger, Limits
from callspool_operators.local import configuration
from callspool_operators.local.ledger import WAIT_FOR_LOOK, LocalLedger, StateDirBusy, open_ledger
from callspool_operators.local.state import StateDir
from chaos.processes import shown_of
from tests.operators.local.conftest import Run, servers_of, start_holder
from tests.support.ledgers import P

Make = Callable[..., LocalLedger]


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def test_what_one_run_writes_the_next_one_reads(ledger: Make) -> None:
    with ledger() as first, connect(first.url) as client:
        client.set("k", "v")
    with ledger() as second, connect(second.url) as client:
        assert client.get("k") == b"v"
        assert not second.adopted


def test_a_second_run_is_told_which_one_holds_the_directory(ledger: Make, state: StateDir) -> None:
    with ledger(), pytest.raises(StateDirBusy) as refused:
        ledger().open()
    assert str(refused.value) == (
        f"another run (pid {os.getpid()}) uses {state.path}; "
        "wait for it or choose another --state-dir"
    )


def test_of_runs_that_start_at_once_one_works_and_the_others_are_refused(
    state: StateDir, binary: Path
) -> None:
    runs = [start_holder(state, binary) for _ in range(3)]
    said = [run.stdout.readline() for run in runs if run.stdout is not None]
    assert len([line for line in said if line.startswith("unix://")]) == 1
    assert len([line for line in said if line.startswith("refused another run")]) == 2
    assert len(servers_of(state)) == 1
    for run in runs:
        run.communicate(timeout=20)
    assert servers_of(state) == []


def test_the_server_is_on_no_network_and_its_files_are_private(
    ledger: Make, state: StateDir
) -> None:
    with ledger() as opened, connect(opened.url) as client:
        assert client.config_get("port") == {"port": "0"}
        client.set("k", "v")
        for path in [state.path, *state.path.rglob("*")]:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_server_writes_everything_to_disk_and_forgets_nothing(ledger: Make) -> None:
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "aof-load-truncated": "yes",
    }
    with ledger() as opened, connect(opened.url) as client:
        assert client.config_get(*wanted) == wanted


def test_a_terminals_interrupt_does_not_reach_the_server(ledger: Make) -> None:
    with ledger() as opened, connect(opened.url) as client:
        server = client.info("server")["process_id"]
        assert os.getsid(server) == server


def test_the_server_does_not_see_the_settings_of_callspool(
    ledger: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSPOOL_API_TOKEN", "secret-token")
    with ledger() as opened, connect(opened.url) as client:
        server = client.info("server")["process_id"]
        shown = shown_of(server)
        assert b"HOME" in shown
        assert b"secret-token" not in shown


def test_a_closed_ledger_leaves_data_log_and_locks(ledger: Make, state: StateDir) -> None:
    with ledger():
        pass
    left = {path.name for path in state.path.iterdir()}
    locks = {"run.lock", "server.lock", "workers.lock"}
    assert left == {"appendonlydir", "valkey.log", "last-stop", *locks}
    assert servers_of(state) == []


@pytest.mark.parametrize("name", ["with [brackets] *", 'quote " and \\', "ümlaut?#%41", "a b"])
def test_the_state_directory_may_have_any_name(tmp_path: Path, binary: Path, name: str) -> None:
    for _ in range(2):
        with LocalLedger(tmp_path / name, binary=binary) as opened, connect(opened.url) as client:
            assert client.incr("k")
    with open_ledger(tmp_path / name, binary=binary) as url, connect(url) as client:
        assert client.get("k") == b"2"


def test_a_long_path_puts_the_socket_into_a_private_directory(tmp_path: Path, binary: Path) -> None:
    deep = tmp_path / ("long" * 30)
    with LocalLedger(deep, binary=binary) as opened, connect(opened.url) as client:
        socket = Path(client.config_get("unixsocket")["unixsocket"])
        assert len(os.fsencode(socket)) <= configuration.LONGEST_SOCKET
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert not socket.is_relative_to(deep)
    assert not socket.parent.exists()


def test_a_run_waits_until_the_server_has_read_everything(
    ledger: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ledger() as opened, connect(opened.url) as client:
        client.eval("for i = 1, 3000 do redis.call('SET', 'k' .. i, i) end", 0)
    slowly = (
        configuration.SETTINGS + "key-load-delay 200\nloading-process-events-interval-bytes 1024\n"
    )
    monkeypatch.setattr(configuration, "SETTINGS", slowly)
    with ledger() as opened, connect(opened.url) as client:
        assert client.dbsize() == 3000


def test_a_server_that_was_killed_during_a_run_is_started_again(
    ledger: Make, state: StateDir
) -> None:
    with ledger() as opened, connect(opened.url) as client:
        client.set("k", "v")
        assert not opened.ensure_running()
        os.kill(client.info("server")["process_id"], 9)
        url = opened.url
        while not opened.ensure_running():
            pass
        assert opened.url == url
        assert client.get("k") == b"v"
        assert len(servers_of(state)) == 1


def append_only_file(state: StateDir) -> Path:
    return next((state.path / "appendonlydir").glob("*.incr.aof"))


def test_a_last_command_that_was_cut_off_is_given_up(ledger: Make, state: StateDir) -> None:
    with ledger() as opened, connect(opened.url) as client:
        client.set("k", "v")
        client.set("cut", "off")
    file = append_only_file(state)
    file.write_bytes(file.read_bytes()[:-5])
    with ledger() as opened, connect(opened.url) as client:
        assert client.get("k") == b"v"
        assert client.get("cut") is None


def test_a_damaged_ledger_gives_one_line_that_names_the_log(ledger: Make, state: StateDir) -> None:
    with ledger() as opened, connect(opened.url) as client:
        client.mset({f"k{i}": i for i in range(100)})
    file = append_only_file(state)
    file.write_bytes(b"*rubbish" + file.read_bytes()[8:])
    with pytest.raises(QueueUnavailable, match="does not start") as refused:
        ledger().open()
    assert str(refused.value).endswith(f"see {state.log_file}")
    assert "\n" not in str(refused.value)
    assert servers_of(state) == []


def test_a_server_that_cannot_be_run_gives_one_line(state: StateDir, tmp_path: Path) -> None:
    with pytest.raises(QueueUnavailable, match="cannot be started") as refused:
        LocalLedger(state.path, binary=tmp_path / "missing").open()
    assert "\n" not in str(refused.value)


def test_a_look_starts_a_server_for_the_moment(ledger: Make, state: StateDir, binary: Path) -> None:
    with ledger() as opened, connect(opened.url) as client:
        client.set("k", "v")
    with open_ledger(state.path, binary=binary) as url, connect(url) as client:
        assert client.get("k") == b"v"
    assert servers_of(state) == []


def test_a_look_during_a_run_uses_the_runs_server(
    start_run: Callable[..., Run], state: StateDir, binary: Path
) -> None:
    run = start_run()
    with open_ledger(state.path, binary=binary) as url:
        assert url == run.url
    assert servers_of(state) == [run.server]
    run.end()


def test_a_run_waits_for_a_look_to_end(ledger: Make, state: StateDir, binary: Path) -> None:
    with ledger():
        pass
    with open_ledger(state.path, binary=binary):
        run = start_holder(state, binary)
    said, _ = run.communicate(timeout=20)
    assert said.startswith("unix://")


def test_a_long_look_lets_another_one_look_on(
    ledger: Make, state: StateDir, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ledger():
        pass
    monkeypatch.setitem(WAIT_FOR_LOOK, "look", 0.1)
    with open_ledger(state.path, binary=binary) as first:
        with open_ledger(state.path, binary=binary) as second:
            assert second == first
        assert len(servers_of(state)) == 1


def test_drafts_of_a_server_that_was_killed_are_removed(ledger: Make, state: StateDir) -> None:
    with ledger():
        pass
    (state.path / "temp-rewriteaof-bg-123.aof").touch()
    with ledger():
        assert not list(state.path.glob("temp-*"))


def test_a_look_where_nothing_was_run_gives_one_line(tmp_path: Path) -> None:
    look = open_ledger(tmp_path / "never")
    with pytest.raises(CallspoolError, match="there is no ledger in"), look:
        pass
    assert not (tmp_path / "never").exists()


def test_the_log_of_the_server_is_not_written_through_a_link(tmp_path: Path):
    state = StateDir(tmp_path / "state")
    state.prepare()
    other = tmp_path / "precious"
    other.write_text("kept")
    state.run_lock.touch()
    state.log_file.symlink_to(other)
    with pytest.raises(QueueUnavailable, match="cannot be started"):
        LocalLedger(state.path).open()
    assert other.read_text() == "kept"


def server_of_ledger(url: str) -> bytes:
    with connect(url) as client:
        return bytes(client.hget(f"{P}:meta", "server"))


def test_a_directory_that_was_put_back_from_a_backup_is_not_vouched_for(tmp_path: Path):
    state = StateDir(tmp_path / "state")
    with LocalLedger(state.path) as first, connect(first.url) as client:
        Ledger(client, Limits()).open("")
    shutil.copytree(state.path, tmp_path / "backup")
    with LocalLedger(state.path) as second, connect(second.url) as client:
        same = client.info("server")["run_id"].encode()
        assert server_of_ledger(second.url) == same, "the same files: nothing is read back"
    shutil.rmtree(state.path)
    shutil.copytree(tmp_path / "backup", state.path)
    with LocalLedger(state.path) as restored, connect(restored.url) as client:
        assert server_of_ledger(restored.url) != client.info("server")["run_id"].encode()


def test_an_append_only_folder_that_was_put_back_is_not_vouched_for(tmp_path: Path):
    state = StateDir(tmp_path / "state")
    with LocalLedger(state.path) as first, connect(first.url) as client:
        Ledger(client, Limits()).open("")
    folder = state.path / "appendonlydir"
    shutil.copytree(folder, tmp_path / "kept")
    with LocalLedger(state.path):
        pass
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)
    with LocalLedger(state.path) as restored, connect(restored.url) as client:
        assert server_of_ledger(restored.url) != client.info("server")["run_id"].encode()
