from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway import platform
from gateway.errors import StoreError

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes, fifos and symbolic links of POSIX")


@posix
def test_private_dir_is_created_and_tightened(tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o755)
    assert platform.is_private(loose) is False
    for folder in (loose, tmp_path / "new" / "deep"):
        assert platform.make_private_dir(folder).stat().st_mode & 0o777 == 0o700
        assert platform.is_private(folder) is True


@posix
def test_atomic_write_replaces_privately_and_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    platform.write_atomic(target, b"old")
    platform.write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]
    platform.write_atomic(target, b"for all", mode=0o644)
    assert target.stat().st_mode & 0o777 == 0o644


def test_failed_atomic_write_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "state.json"
    platform.write_atomic(target, b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(platform, "fsync_file", no_space)
    with pytest.raises(OSError, match="No space"):
        platform.write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_atomic_write_reaches_the_disk_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(platform, "fsync_file", lambda _: seen.append("file"))
    monkeypatch.setattr(platform, "fsync_dir", lambda _: seen.append("dir"))
    monkeypatch.setattr(platform, "replace", lambda s, t: seen.append("rename"))
    platform.write_atomic(tmp_path / "x", b"")
    assert seen == ["file", "rename", "dir"]


def test_durable_rename_syncs_both_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1")
    synced: list[str] = []
    monkeypatch.setattr(platform, "fsync_dir", lambda path: synced.append(path.name))
    platform.durable_rename(tmp_path / "a" / "x", tmp_path / "b" / "y")
    assert (tmp_path / "b" / "y").read_bytes() == b"1"
    assert sorted(synced) == ["a", "b"]


def _refusals(monkeypatch: pytest.MonkeyPatch, method: str, times: int, winerror: int | None) -> list[int]:
    """Make a Path method refuse the first `times` calls, as Windows does while another program has the file open."""
    genuine = getattr(Path, method)
    calls: list[int] = []

    def refusing(self: Path, *args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) <= times:
            error = PermissionError(13, "in use")
            error.winerror = winerror  # type: ignore[attr-defined, unused-ignore]
            raise error
        return genuine(self, *args, **options)

    monkeypatch.setattr(Path, method, refusing)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return calls


def test_replace_waits_out_a_sharing_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"1")
    calls = _refusals(monkeypatch, "replace", 3, 32)
    platform.replace(tmp_path / "a", tmp_path / "b")
    assert len(calls) == 4
    assert (tmp_path / "b").read_bytes() == b"1"


@pytest.mark.parametrize(("refusals", "winerror", "expected"), [(100, 32, 20), (100, None, 1)])
def test_replace_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: int, winerror: int | None, expected: int
) -> None:
    (tmp_path / "a").write_bytes(b"1")
    calls = _refusals(monkeypatch, "replace", refusals, winerror)
    with pytest.raises(PermissionError):
        platform.replace(tmp_path / "a", tmp_path / "b")
    assert len(calls) == expected


def test_remove_waits_and_accepts_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.remove(tmp_path / "absent")
    (tmp_path / "a").write_bytes(b"1")
    _refusals(monkeypatch, "unlink", 2, 5)
    platform.remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_read_regular(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    assert platform.read_regular(tmp_path / "a", 10) == b"x" * 10
    with pytest.raises(platform.UnsafeFileError) as caught:
        platform.read_regular(tmp_path / "a", 9)
    assert caught.value.code == "FIL-003"
    with pytest.raises(FileNotFoundError):
        platform.read_regular(tmp_path / "absent", 9)


@posix
def test_read_regular_refuses_what_is_no_plain_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "fifo")  # a plain open() would wait for ever
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        codes = {name: _refusal(tmp_path / name) for name in ("link", "dangling", "fifo", "socket", ".")}
    assert codes == {"link": "FIL-001", "dangling": "FIL-001", "fifo": "FIL-002", "socket": "FIL-002", ".": "FIL-002"}


@posix
def test_read_regular_refuses_a_link_swapped_in_after_the_first_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)
    assert _refusal(tmp_path / "link") == "FIL-001"


def _refusal(path: Path) -> str:
    with pytest.raises(platform.UnsafeFileError) as caught:
        platform.read_regular(path, 100)
    return caught.value.code


LOCKER = """
import sys, pathlib
from gateway import platform
with platform.exclusive_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_excludes_another_process_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    child = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StoreError) as caught, platform.exclusive_lock(path):
            pass
        assert caught.value.code == "LCK-001"
        assert str(child.pid) in str(caught.value)
        assert platform.lock_holder(path) == child.pid
        child.kill()
        child.wait()
        with platform.exclusive_lock(path):
            assert platform.lock_holder(path) == os.getpid()


def test_lock_is_free_again_after_the_block_even_in_the_same_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with platform.exclusive_lock(path), pytest.raises(StoreError), platform.exclusive_lock(path):
        pass
    with platform.exclusive_lock(path):
        pass
    assert platform.lock_holder(tmp_path / "absent") is None


MOUNTS = r"""
21 1 254:1 / / rw - ext4 /dev/vda1 rw
30 21 0:40 / /mnt/share rw - cifs //nas/share rw
31 30 0:41 / /mnt/share/local rw shared:1 - tmpfs tmpfs rw
32 21 0:42 / /mnt/my\040nas rw - nfs4 nas:/x rw
33 21 0:43 / /mnt/ssh rw - fuse.sshfs host: rw
34 21 0:44 / /mnt/twice rw - ext4 /dev/vdb rw
35 21 0:45 / /mnt/twice rw - nfs nas:/y rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib/x", False),
        ("/mnt/share/x", True),
        ("/mnt/shared/x", False),
        ("/mnt/share/local/x", False),
        ("/mnt/my nas/x", True),
        ("/mnt/ssh", True),
        ("/mnt/twice/x", True),
    ],
)
def test_network_mounts_are_recognised(path: str, expected: bool) -> None:
    assert platform.network_mount(Path(path), MOUNTS) is expected


def test_unknown_file_system_is_not_called_local() -> None:
    assert platform.network_mount(Path("/x"), "") is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_file_system_of_a_path_that_does_not_exist_yet(tmp_path: Path) -> None:
    assert platform.is_network_filesystem(tmp_path / "not" / "yet") is False


@posix
def test_service_notification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert platform.notify_service("READY=1") is False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert platform.notify_service("READY=1") is True
        assert manager.recv(100) == b"READY=1"
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert platform.notify_service("READY=1") is False


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_reaches_the_loop(number: signal.Signals) -> None:
    stopped = asyncio.Event()
    platform.call_on_stop(asyncio.get_running_loop(), stopped.set)
    try:
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stopped.wait(), 5)
    finally:
        for handled in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(handled)
