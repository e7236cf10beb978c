"""What a parser may not do, whatever it is fed: open a file, reach a network, start a program.

An audit hook (PEP 578) sees every such call of the interpreter and of its libraries; what C libraries do by
themselves (libxml2) is held by tests/security/test_xml.py, with a pipe that tells whether it was opened.
"""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_NETWORK = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn")
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "shutil.rmtree")
_CODE = ("pickle.find_class",)
FORBIDDEN = frozenset({*_NETWORK, *_PROGRAMS, *_CHANGES, *_CODE})
# A lazy import (a codec that a mail names) and our own tables are read; nothing else is, and nothing is written.
_READABLE = tuple(
    str(Path(one).resolve())
    for one in {
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        str(ROOT / "gateway"),
        str(ROOT / "tests"),  # where a traceback is written out
        str(ROOT / "mappings"),
        str(ROOT / "config"),
        "/usr/share/zoneinfo",
        *(one for one in sys.path if one.endswith(".zip")),  # where an import looks first
    }
)


class ForbiddenError(BaseException):
    """A parser left its bytes. Not an Exception: no `except Exception` may hide it."""


class _Guard:
    def __init__(self) -> None:
        self.on = False
        self.scratch = ""
        self.installed = False

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            self._opened(args)
        elif event in FORBIDDEN:
            raise ForbiddenError(f"{event} while parsing")

    def _opened(self, args: tuple[object, ...]) -> None:
        path, mode, flags = (*args, None, None)[:3]
        if isinstance(path, int) or path is None:
            return
        name = path.decode() if isinstance(path, bytes) else str(path)
        if self.scratch and name == self.scratch:
            return
        writes = any(mark in str(mode or "r") for mark in "wax+") or (isinstance(flags, int) and flags & 3)
        if writes or not str(Path(name).absolute()).startswith(_READABLE):
            raise ForbiddenError("a file opened while parsing")


_GUARD = _Guard()


@contextlib.contextmanager
def confined(scratch: Path | None = None) -> Iterator[None]:
    """Nothing outside is touched within; `scratch` is the one file that a target is given as its input."""
    if not _GUARD.installed:
        sys.addaudithook(_GUARD)  # for the life of the process: hooks cannot be taken away, only told to look aside
        _GUARD.installed = True
    before, _GUARD.scratch = _GUARD.scratch, str(scratch or "")
    _GUARD.on = True
    try:
        yield
    finally:
        _GUARD.on, _GUARD.scratch = False, before


@dataclass(frozen=True, slots=True)
class Permitted:
    """Where a whole program may go: `hosts` with their ports, files below `folders` (None: any), `programs` by path."""

    hosts: frozenset[tuple[str, int]] = frozenset()
    folders: tuple[str, ...] | None = None
    programs: frozenset[str] = frozenset()

    def forbids(self, event: str, args: tuple[Any, ...]) -> str:
        """What of an event is not permitted, in words; nothing when all is."""
        if event == "open":
            return self._file(*(*args, None, None)[:2])
        if event in {"socket.connect", "socket.sendto"}:
            where = args[1] if isinstance(args[1], tuple) else ("", 0)  # a socket of this machine has a path
            return "" if where == ("", 0) or (where[0], where[1]) in self.hosts else f"{event} {where[0]}:{where[1]}"
        if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
            known = {None, "", *(host for host, _ in self.hosts)}
            name = args[0].decode() if isinstance(args[0], bytes) else args[0]
            return "" if name in known else f"{event} {name}"
        if event in _PROGRAMS:
            return "" if event == "subprocess.Popen" and str(args[0]) in self.programs else f"{event} {args[:2]}"
        return event if event in _CODE else ""

    def _file(self, path: Any, mode: Any) -> str:
        if self.folders is None or isinstance(path, int) or path is None:
            return ""
        name = str(Path(os.fsdecode(path)).absolute())
        reads = not any(mark in str(mode or "r") for mark in "wax+")
        return "" if name.startswith(self.folders) or (reads and name.startswith(_READABLE)) else f"open {name}"


class _Watch:
    """Notes what is not permitted. It does not raise: a thread of the program would end, and nobody would know."""

    def __init__(self) -> None:
        self.permitted: Permitted | None = None
        self.seen: list[str] = []
        self.installed = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.permitted is not None and (fault := self.permitted.forbids(event, args)):
            self.seen.append(fault)


_WATCH = _Watch()


@contextlib.contextmanager
def watched(permitted: Permitted) -> Iterator[list[str]]:
    """Whatever any thread does within that is not permitted stands in the list, one line each."""
    if not _WATCH.installed:
        sys.addaudithook(_WATCH)
        _WATCH.installed = True
    _WATCH.seen = []
    _WATCH.permitted = permitted
    try:
        yield _WATCH.seen
    finally:
        _WATCH.permitted = None
