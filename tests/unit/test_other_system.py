"""The code paths of Windows, as far as another system can take them: the program is imported and works without what
POSIX alone has, through modules that stand in for those of Windows. It was not run there (docs/windows.md).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# An import of ours of what Windows has not fails; libraries have branches of their own, which are theirs to test.
STAGE = """
import builtins, sys
GONE = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "posix"}
genuine = builtins.__import__

def absent(name, globals=None, locals=None, fromlist=(), level=0):
    who = (globals or {}).get("__name__", "")
    if level == 0 and name.split(".")[0] in GONE and who.split(".")[0] in {"gateway", "__main__"}:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return genuine(name, globals, locals, fromlist, level)

builtins.__import__ = absent
"""
# What differs at run time. A lock is an open file, as msvcrt would keep it.
AS_WINDOWS = """
import os, socket, signal, types, pathlib
locked = {}

def locking(descriptor, mode, count):
    place = os.fstat(descriptor).st_ino
    if locked.get(place, descriptor) != descriptor:
        try:
            os.fstat(locked[place])
        except OSError:
            del locked[place]
        else:
            raise OSError(13, "Permission denied")
    locked[place] = descriptor

def refuse(*_, **__):
    raise PermissionError(13, "Permission denied")

class Key:
    __enter__ = __exit__ = lambda *_: None

guid = types.SimpleNamespace(OpenKey=lambda *_: Key(), QueryValueEx=lambda *_: ("a-guid", 1), HKEY_LOCAL_MACHINE=0)
sys.modules["winreg"] = guid
sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_DIRECTORY", "geteuid", "fork", "mkfifo"):
    delattr(os, name)
del socket.AF_UNIX
signal.SIGBREAK = signal.SIGINT
pathlib.Path.chmod = refuse
sys.platform = "win32"
"""


def run(script: str, folder: Path) -> str:
    """A script in a Python that lacks what only POSIX has. Raises on a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", STAGE + script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_platform_takes_its_other_branches(tmp_path: Path) -> None:
    script = """
import importlib
builtins.__import__ = genuine
from gateway import errors, platform
builtins.__import__ = absent
exec(AS_WINDOWS)
platform = importlib.reload(platform)
assert len(platform.machine_digest()) == 32
folder = pathlib.Path(FOLDER)
private = platform.make_private_dir(folder / "a" / "b")
assert platform.is_private(private) is None
platform.write_atomic(private / "x", b"1")
platform.write_atomic(private / "x", b"2", mode=0o644)
platform.durable_rename(private / "x", folder / "y")
assert platform.read_regular(folder / "y", 10) == b"2"
with platform.exclusive_lock(folder / "lock"):
    try:
        with platform.exclusive_lock(folder / "lock"):
            raise SystemExit("two locks")
    except errors.StoreError as fault:
        assert fault.code == "LCK-001", fault
with platform.exclusive_lock(folder / "lock"):
    pass
platform.fsync_dir(folder)
platform.remove(folder / "y")
assert platform.notify_service("READY=1") is False
told = []
platform.call_on_stop(types.SimpleNamespace(call_soon_threadsafe=lambda callback: callback()), lambda: told.append(1))
signal.raise_signal(signal.SIGTERM)
assert told == [1]
print("platform ok")
"""
    script = script.replace("AS_WINDOWS", repr(AS_WINDOWS)).replace("FOLDER", repr(str(tmp_path)))
    assert "platform ok" in run(script, tmp_path)


MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "gateway").rglob("*.py")
    if path.name != "__main__.py"
)


def test_every_module_is_imported_without_the_modules_of_posix(tmp_path: Path) -> None:
    """`platform` alone asks which system this is before it wants one of them: its other branches are taken above."""
    script = """
import importlib
builtins.__import__ = genuine
import gateway.platform
builtins.__import__ = absent
for name in NAMES:
    importlib.import_module(name)
print(len(NAMES), "modules")
""".replace("NAMES", repr(MODULES))
    assert f"{len(MODULES)} modules" in run(script, tmp_path)


def test_what_is_missing_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="fcntl"):
        run("import fcntl", tmp_path)
