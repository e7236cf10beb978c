"""Only gateway/platform.py may ask which system this is or call what one system alone has (DESIGN §4, Platform)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "gateway"
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "platform.py")

FORBIDDEN_MODULES = {
    "fcntl", "grp", "msvcrt", "platform", "posix", "pty", "pwd", "resource", "spwd", "syslog", "termios", "tty",
    "winreg", "_winapi",
}  # fmt: skip
FORBIDDEN_ATTRIBUTES = {
    "os": {
        "chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgrouplist", "getlogin",
        "getpgid", "getpgrp", "getppid", "getuid", "killpg", "lchown", "lockf", "mkfifo", "mknod", "name", "nice",
        "pipe2", "posix_fadvise", "posix_fallocate", "posix_spawn", "setegid", "seteuid", "setgid", "setpgid",
        "setsid", "setuid", "statvfs", "sync", "sysconf", "uname", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW",
        "O_NONBLOCK",
    },
    "signal": {"SIGALRM", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "alarm", "pause", "setitimer"},
    "socket": {"AF_UNIX", "SO_REUSEPORT", "SOCK_CLOEXEC"},
    "sys": {"platform", "getwindowsversion"},
    "time": {"CLOCK_BOOTTIME"},
    "asyncio": {"open_unix_connection", "start_unix_server"},
}  # fmt: skip
# Any object: the event loop's method does not exist on Windows; modes mean nothing there.
FORBIDDEN_METHODS = {"add_signal_handler", "chmod", "create_unix_server", "lchmod", "mkfifo"}


def offences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = _imported_from(node)
        elif isinstance(node, ast.Attribute):
            names = _attribute(node)
        else:
            continue
        yield from (f"line {node.lineno}: {name}" for name in names)


def _imported_from(node: ast.ImportFrom) -> list[str]:
    module = node.module or ""
    if module.split(".")[0] in FORBIDDEN_MODULES:
        return [module]
    return [f"{module}.{alias.name}" for alias in node.names if alias.name in FORBIDDEN_ATTRIBUTES.get(module, ())]


def _attribute(node: ast.Attribute) -> list[str]:
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    if node.attr in FORBIDDEN_METHODS or node.attr in FORBIDDEN_ATTRIBUTES.get(owner, ()):
        return [f"{owner}.{node.attr}"]
    return []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_nothing_of_one_system_alone(path: Path) -> None:
    assert list(offences(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import fcntl",
        "from fcntl import flock",
        "import os; os.fork()",
        "from os import geteuid",
        "import sys; sys.platform == 'x'",
        "path.chmod(0o600)",
        "loop.add_signal_handler(1, f)",
    ],
)
def test_an_offence_is_seen(source: str) -> None:
    assert list(offences(ast.parse(source))) != []


def test_our_own_platform_module_is_allowed() -> None:
    assert list(offences(ast.parse("from gateway import platform\nfrom gateway.platform import replace"))) == []
