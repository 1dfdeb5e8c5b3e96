"""Where the state directory is, and what may become one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from callspool.errors import CallspoolError
from callspool_operators.local.state import StateDir, default_state_dir


def test_the_state_directory_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_state_dir({}, "linux") == Path("/home/ada/.local/state/callspool")
    assert default_state_dir({}, "darwin") == Path(
        "/home/ada/Library/Application Support/callspool"
    )


def test_the_user_may_place_all_state_elsewhere() -> None:
    assert default_state_dir({"XDG_STATE_HOME": "/data/state"}) == Path("/data/state/callspool")


def test_a_relative_place_for_state_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    found = default_state_dir({"XDG_STATE_HOME": "state"}, "linux")
    assert found == Path("/home/ada/.local/state/callspool")


def test_the_state_directory_is_the_users_alone(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("new/deep", "open"):
        StateDir(tmp_path / name).prepare()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


def test_a_directory_that_holds_other_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "contacts.csv").write_text("name,contact_number\n")
    with pytest.raises(CallspoolError, match="holds other files: choose an empty") as refused:
        StateDir(tmp_path).prepare()
    assert "\n" not in str(refused.value)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_what_systems_and_rehearsals_leave_in_a_directory_does_not_count(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "sandbox.jsonl").touch()
    StateDir(tmp_path).prepare()


def test_a_place_where_no_directory_can_be_made_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CallspoolError, match="choose another --state-dir") as refused:
        StateDir(tmp_path / "file" / "state").prepare()
    assert "\n" not in str(refused.value)


def test_a_directory_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = tmp_path.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(CallspoolError, match="belongs to another user"):
        StateDir(tmp_path).prepare()


def test_new_parents_of_a_state_directory_are_the_users_alone(tmp_path: Path):
    before = os.umask(0)
    try:
        StateDir(tmp_path / "a" / "b" / "state").prepare()
    finally:
        os.umask(before)
    for part in ("a", "a/b", "a/b/state"):
        assert (tmp_path / part).stat().st_mode & 0o077 == 0
