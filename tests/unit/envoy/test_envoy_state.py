"""State on disk: who owns an instance, and which Envoys it has."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from serai.api.problem import Problem
from serai.envoy.pid import Pid, exited, is_running, pid_of, send
from serai.envoy.process import is_alive
from serai.envoy.state import (
    SOCKET_PATH_BYTES,
    EnvoyRecord,
    Instance,
    claim,
    claim_folder,
    instance_folders,
    instance_name,
    state_root,
    write_atomically,
)

HOLD = """
import sys, time
from pathlib import Path
from serai.envoy.state import claim
claimed = claim(Path(sys.argv[1]), [sys.argv[2]])
print("owned", flush=True)
time.sleep(60)
"""


def waiting_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def owned(root: Path, *paths: str) -> Instance:
    instance = claim(root, paths or ["some/path"])
    assert isinstance(instance, Instance)
    return instance


def record(**changes: object) -> EnvoyRecord:
    content = {
        "token": "t.1",
        "gateway": "infra/edge",
        "pid": Pid(1, "x"),
        "command": ("envoy",),
        "digest": "d",
        "log": "/x.log",
    }
    return EnvoyRecord(**{**content, **changes})  # type: ignore[arg-type]


def test_the_root_follows_the_environment() -> None:
    assert state_root({"SERAI_STATE": "/s", "XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/s")
    assert state_root({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/serai")
    assert state_root({"HOME": "/h"}) == Path("/h/.local/state/serai")
    # The XDG specification has relative paths ignored.
    assert state_root({"XDG_STATE_HOME": "x", "HOME": "/h"}) == Path("/h/.local/state/serai")


def test_an_instance_is_named_by_its_paths_however_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    monkeypatch.chdir(tmp_path)
    assert instance_name(["a", "b"]) == instance_name([tmp_path / "b", "./link", "a/"])
    assert instance_name(["a"]) != instance_name(["a", "b"])


def test_the_folder_is_private_and_goes_when_clean(tmp_path: Path) -> None:
    instance = owned(tmp_path)
    assert stat.S_IMODE(instance.folder.stat().st_mode) == 0o700
    assert instance_folders(tmp_path) == (instance.folder,)
    instance.release()
    assert not instance.folder.exists()


def test_a_folder_with_an_envoy_on_record_stays(tmp_path: Path) -> None:
    instance = owned(tmp_path)
    instance.write(record())
    instance.release()
    again = owned(tmp_path)
    assert again.records() == (record(),)
    again.forget("t.1")
    again.release()
    assert not again.folder.exists()


def test_logs_can_be_kept(tmp_path: Path) -> None:
    instance = owned(tmp_path)
    log = instance.files("infra/edge").log
    log.write_text("why it died\n")
    instance.release(keep_logs=True)
    assert [path.name for path in instance.folder.iterdir()] == ["logs"]
    assert instance_folders(tmp_path) == ()
    owned(tmp_path).release()
    assert not log.exists()


def test_a_second_owner_is_told_who_the_first_is_and_takes_over_when_it_was_killed(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path), "my/files"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "owned\n"
            second = claim(tmp_path, ["my/files"])
            assert isinstance(second, Problem)
            served = Path("my/files").resolve()
            assert f"(pid {first.pid}) already serves {served}" in second.message
            assert f"kill {first.pid}" in second.remedy
            owned(tmp_path, "other/files").release()
        finally:
            first.kill()
    owned(tmp_path, "my/files").release()


def test_a_state_folder_that_can_not_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    problem = claim(tmp_path / "file", ["x"])
    assert isinstance(problem, Problem)
    assert "Not a directory" in problem.message
    assert "SERAI_STATE" in problem.remedy


def test_a_folder_that_is_gone_is_not_made_again_by_its_name(tmp_path: Path) -> None:
    assert isinstance(claim_folder(tmp_path / "gone"), Problem)
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("depth", [0, 12])
def test_the_xds_socket_is_short_enough_private_and_the_same_each_time(
    tmp_path: Path, depth: int
) -> None:
    root = tmp_path.joinpath(*["long-folder"] * depth)
    instance = owned(root)
    path = instance.xds_socket
    assert len(os.fsencode(path)) <= SOCKET_PATH_BYTES
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (path.parent == instance.folder) is (depth == 0)
    instance.release()
    again = owned(root)
    assert again.xds_socket == path
    again.release()


def test_a_short_folder_made_by_someone_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    planted = tmp_path / f"serai-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    problem = claim(tmp_path.joinpath(*["long-folder"] * 12), ["x"])
    assert isinstance(problem, Problem)
    assert "not a private folder" in problem.message


def test_broken_records_are_no_records(tmp_path: Path) -> None:
    instance = owned(tmp_path)
    instance.write(record())
    (instance.folder / "bad.json").write_text('{"token": ')
    (instance.folder / "odd.json").write_text('{"token": 1}')
    (instance.folder / "t.1.bootstrap.json").write_text("{}")
    assert instance.records() == (record(),)


def test_file_names_are_safe_whatever_the_gateway_is_called(tmp_path: Path) -> None:
    instance = owned(tmp_path)
    names = ["a/b", "a-b", "../../etc/passwd", "ü/" + "x" * 500, "", "/", "a\0b\n"]
    logs = {instance.files(name).log for name in names}
    assert len(logs) == len(names)
    for path in logs:
        assert path.parent == instance.folder / "logs"
        path.write_text("")
    instance.release()


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_atomically(path, b"old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


def test_a_recycled_number_is_another_process() -> None:
    mine = pid_of(os.getpid())
    assert mine is not None
    assert is_running(mine)
    assert not is_running(Pid(mine.number, "another time"))
    assert pid_of(0) is None


def test_a_process_that_has_ended_but_was_not_waited_for_is_not_running() -> None:
    with waiting_process() as child:
        pid = pid_of(child.pid)
        assert pid is not None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert pid_of(child.pid) is None
        assert not is_running(pid)


@pytest.mark.parametrize("kernel_tells", [True, False])
async def test_an_exit_is_noticed_and_no_signal_goes_to_the_dead(
    monkeypatch: pytest.MonkeyPatch,
    kernel_tells: bool,  # noqa: FBT001
) -> None:
    if not kernel_tells:
        monkeypatch.delattr("os.pidfd_open", raising=False)
        monkeypatch.setattr("sys.platform", "another")
        monkeypatch.setattr("serai.envoy.pid.POLL_SECONDS", 0.01)
    with waiting_process() as child:
        pid = pid_of(child.pid)
        assert pid is not None
        waiting = asyncio.create_task(exited(pid))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert send(pid, signal.SIGKILL)
        await asyncio.wait_for(waiting, 5)
        assert not send(pid, signal.SIGKILL)
    await asyncio.wait_for(exited(pid), 5)


def test_a_record_is_ours_only_with_number_start_and_command(tmp_path: Path) -> None:
    instance = owned(tmp_path)
    me = pid_of(os.getpid())
    assert me is not None
    # The number and the start are right, but pytest was not started with that bootstrap.
    assert not is_alive(instance, record(pid=me))
    instance.release()


def test_the_record_on_disk_is_readable_json(tmp_path: Path) -> None:
    instance = owned(tmp_path)
    instance.write(record(admin="127.0.0.1:9"))
    content = json.loads((instance.folder / "t.1.json").read_text())
    assert content["gateway"] == "infra/edge"
    assert content["pid"] == {"number": 1, "started": "x"}
    assert content["admin"] == "127.0.0.1:9"


def test_the_vips_outlive_the_instance_and_nothing_else_does(tmp_path: Path) -> None:
    instance = claim(tmp_path / "state", [tmp_path])
    assert isinstance(instance, Instance)
    instance.vips.write_bytes(b"kept")
    (instance.folder / "addresses").write_bytes(b"not kept")
    instance.release()

    assert [path.name for path in instance.folder.iterdir()] == ["vips"]
    again = claim(tmp_path / "state", [tmp_path])
    assert isinstance(again, Instance)
    assert again.vips.read_bytes() == b"kept"
    again.vips.unlink()
    again.release()
    assert not again.folder.exists()
