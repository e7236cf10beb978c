"""Several machines on one switch, as network namespaces (Linux, root): each with its own address, cable and TCP stack.

The switch and the server's address stand in a namespace too, so nothing of this machine's own network is touched. A
cable that is cut loses packets and says nothing: no RST, no FIN, as when a machine loses its power or its network.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

SPACES = Path("/run/netns")
SUBNET = "192.0.2.0/24"
"""Documentation addresses (RFC 5737): they lead nowhere."""
HUB = "192.0.2.1"
_NEWNET = 0x40000000  # CLONE_NEWNET, <linux/sched.h>
_PROBE = """
ip netns add "$0" && ip netns del "$0" &&
exec unshare -n sh -c 'ip link add name br type bridge && ip link add name a type veth peer name b'
"""
_numbers = count()
_WHERE = {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])}


@cache
def allowed() -> bool:
    """Whether this system lets us make namespaces, a switch and cables. It may not: containers, other kernels."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip", path=_WHERE["PATH"]) is None:
        return False
    command = ["sh", "-c", _PROBE, f"kine-probe-{os.getpid()}"]
    return subprocess.run(command, env=_WHERE, capture_output=True, check=False, timeout=30).returncode == 0


@dataclass(frozen=True)
class Machine:
    """A namespace with one cable to the switch."""

    space: str
    address: str
    hub: str
    plug: str

    def cut(self) -> None:
        """The cable is out: packets of both directions vanish."""
        _ip("-n", self.hub, "link", "set", self.plug, "down")

    def mend(self) -> None:
        """The cable is back."""
        _ip("-n", self.hub, "link", "set", self.plug, "up")

    def deafen(self) -> None:
        """What the server says to it vanishes; what it says arrives."""
        _ip("-n", self.hub, "route", "add", "blackhole", f"{self.address}/32")

    def hear(self) -> None:
        """The server's answers arrive again."""
        _ip("-n", self.hub, "route", "del", "blackhole", f"{self.address}/32")


@dataclass
class Network:
    """A switch, in a namespace where a server may listen at `HUB`."""

    hub: str
    machines: list[Machine]

    @property
    def within(self) -> tuple[str, ...]:
        """The command that leads to where the server stands."""
        return ("nsenter", f"--net={SPACES / self.hub}")


def inside(machine: Machine, target: Callable[..., None], *arguments: Any) -> None:
    """Run something on a machine: for a process of its own, before it has any other thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (SPACES / machine.space).open("rb") as file:
        if libc.setns(file.fileno(), _NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {machine.space}")
    target(*arguments)


@contextmanager
def network(machines: int) -> Iterator[Network]:
    """A switch and as many machines, for this block; named after this process, so that no other's is touched."""
    prefix = f"kine-{os.getpid()}-{next(_numbers)}"
    made = Network(f"{prefix}-hub", [])
    try:
        _ip("netns", "add", made.hub)
        _ip("-n", made.hub, "link", "set", "lo", "up")
        _ip("-n", made.hub, "link", "add", "switch", "type", "bridge")
        _ip("-n", made.hub, "address", "add", f"{HUB}/24", "dev", "switch")
        _ip("-n", made.hub, "link", "set", "switch", "up")
        for number in range(machines):
            machine = Machine(f"{prefix}-m{number}", f"192.0.2.{11 + number}", made.hub, f"to{number}")
            made.machines.append(machine)
            _plug_in(machine)
        yield made
    finally:
        for space in (*(machine.space for machine in made.machines), made.hub):
            command = ["ip", "netns", "del", space]
            subprocess.run(command, env=_WHERE, capture_output=True, check=False, timeout=30)


def _plug_in(machine: Machine) -> None:
    _ip("netns", "add", machine.space)
    _ip("-n", machine.hub, "link", "add", machine.plug, "type", "veth", "peer", "name", "eth0", "netns", machine.space)
    _ip("-n", machine.hub, "link", "set", machine.plug, "master", "switch", "up")
    _ip("-n", machine.space, "address", "add", f"{machine.address}/24", "dev", "eth0")
    _ip("-n", machine.space, "link", "set", "eth0", "up")
    _ip("-n", machine.space, "link", "set", "lo", "up")


def _ip(*arguments: str) -> None:
    command = ["ip", *arguments]
    run = subprocess.run(command, env=_WHERE, capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 0, f"ip {' '.join(arguments)}: {run.stderr}"
