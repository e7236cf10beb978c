"""A sidecar in a process of its own, as a service manager starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

MAIN = "from gateway.cli import main; main()"


class Daemon:
    """`kine-gateway run --json`, its standard error in a file. `package`: the folder that holds another release."""

    def __init__(self, config: Path, folder: Path, name: str, package: Path | None = None, notify: str = "") -> None:
        self.log, self.out = folder / f"{name}.log", folder / f"{name}.out"
        with self.log.open("wb") as log, self.out.open("wb") as out:
            self.process = subprocess.Popen(
                command("run", "--json"),
                env=environment(config, package) | ({"NOTIFY_SOCKET": notify} if notify else {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )

    def wait_for(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Until it holds. Fails when the process ends before, or when it takes too long."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"it ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"still not: {self.log.read_text()[-2000:]}"
            time.sleep(0.05)

    def stop(self) -> int:
        """As systemd does; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def command(*arguments: str) -> list[str]:
    """A command line of the program, whichever release the environment leads to."""
    return [sys.executable, "-P", "-c", MAIN, *arguments]  # -P: not the package of the working folder


def environment(config: Path, package: Path | None = None) -> dict[str, str]:
    """Variables of a process of a practice."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("KINE_GATEWAY_", "NOTIFY_"))}
    path = {} if package is None else {"PYTHONPATH": str(package)}
    return kept | {"KINE_GATEWAY_CONFIG": str(config)} | path


class ServiceManager:
    """The socket on which systemd listens (sd_notify(3))."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(120)

    def next(self) -> str:
        """The next message, waited for."""
        return self._socket.recv(4096).decode()

    def rest(self) -> list[str]:
        """What else has come."""
        self._socket.setblocking(False)
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        """No more."""
        self._socket.close()
