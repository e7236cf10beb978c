"""Everything that depends on the operating system: locks, permissions, durable writes, safe reads, service.

No other module asks which system this is. Tested on Linux; the Windows and macOS branches follow the
documented behaviour of those systems and have not been run there.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import GatewayError, StoreError

if TYPE_CHECKING:
    import asyncio

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PRIVATE_FILE = 0o600
"""Mode of every file that holds health data or keys: owner only."""
PRIVATE_DIR = 0o700
"""Mode of every folder that holds such files."""

_SHARING_RETRIES = 20
_SHARING_PAUSE = 0.05  # seconds; an antivirus or an indexer lets go of a new file well within a second
_SHARING_ERRORS = frozenset({5, 32, 33})  # ERROR_ACCESS_DENIED, _SHARING_VIOLATION, _LOCK_VIOLATION
_LOCK_OFFSET = 1 << 30  # Windows locks are mandatory: lock a byte past the text so that it stays readable
_NETWORK_TYPES = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
        "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "vboxsf", "virtiofs",
    }
)  # fmt: skip
_NETWORK_FUSE = frozenset(
    {"fuse.ceph", "fuse.davfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs"}
)


class UnsafeFileError(GatewayError):
    """A file that must not be read: symbolic link, device, fifo, folder, or larger than allowed."""


# ------------------------------------------------------------------------------------------- permissions


def make_private_dir(path: Path) -> Path:
    """Create `path` (and its parents) readable by its owner only; tighten it if it was there already.

    On Windows the mode means nothing: access follows the profile folder the path lies in.
    """
    path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    if sys.platform != "win32":
        path.chmod(PRIVATE_DIR)
    return path


def is_private(path: Path) -> bool | None:
    """Whether only its owner can read or write `path`; None where the system cannot say (Windows)."""
    if sys.platform == "win32":
        return None
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


# ----------------------------------------------------------------------------------------- durable writes


def fsync_file(descriptor: int) -> None:
    """Push a file's content to the disk itself, not only to the drive's cache (macOS needs F_FULLFSYNC)."""
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:  # network volumes refuse it
            os.fsync(descriptor)
    else:
        os.fsync(descriptor)


def fsync_dir(path: Path) -> None:
    """Make renames and creations in folder `path` durable. NTFS journals them itself: nothing to do there."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some file systems have no such call for folders
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


def replace(source: Path, target: Path) -> None:
    """Rename over `target`, waiting up to a second while another program holds one of them (Windows).

    Raises:
        OSError: still refused after the retries, or refused for another reason.
    """
    for attempt in range(_SHARING_RETRIES):
        try:
            source.replace(target)
        except PermissionError as error:
            last = attempt == _SHARING_RETRIES - 1
            if last or getattr(error, "winerror", None) not in _SHARING_ERRORS:
                raise
            time.sleep(_SHARING_PAUSE)
        else:
            return


def durable_rename(source: Path, target: Path) -> None:
    """Rename over `target` and return only when a power cut can no longer undo it."""
    replace(source, target)
    fsync_dir(target.parent)
    if source.parent != target.parent:
        fsync_dir(source.parent)


def write_atomic(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Write `data` so that a reader, or a power cut, meets the old content or the new one, never a mix."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            fsync_file(stream.fileno())
        if mode != PRIVATE_FILE and sys.platform != "win32":
            temporary.chmod(mode)
        durable_rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Delete a file durably; a file that is gone already is fine. Waits out sharing violations (Windows)."""
    for attempt in range(_SHARING_RETRIES):
        try:
            path.unlink(missing_ok=True)
        except PermissionError as error:
            last = attempt == _SHARING_RETRIES - 1
            if last or getattr(error, "winerror", None) not in _SHARING_ERRORS:
                raise
            time.sleep(_SHARING_PAUSE)
        else:
            break
    fsync_dir(path.parent)


# --------------------------------------------------------------------------------------------- safe reads


def read_regular(path: Path, max_size: int) -> bytes:
    """Content of a regular file of at most `max_size` bytes that a stranger dropped in a folder.

    Neither follows a symbolic link nor waits on a fifo, and looks at the open file, not at its name, so
    swapping the file meanwhile gains nothing.

    Raises:
        UnsafeFileError: `FIL-001` symbolic link, `FIL-002` not a regular file, `FIL-003` too large.
        OSError: missing or unreadable.
    """
    descriptor = _open_no_follow(path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unsafe("FIL-002", path, "ce n'est pas un fichier ordinaire")
        if status.st_size > max_size:
            raise _too_large(path, max_size)
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            data = stream.read(max_size + 1)
    finally:
        os.close(descriptor)
    if len(data) > max_size:  # it grew while being read
        raise _too_large(path, max_size)
    return data


def _open_no_follow(path: Path) -> int:
    if path.is_symlink():
        raise _unsafe("FIL-001", path, "c'est un lien symbolique")
    # Each flag is missing on some system; O_BINARY exists on Windows only.
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        return os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:  # it became a link between the two looks
            raise _unsafe("FIL-001", path, "c'est un lien symbolique") from error
        if error.errno == errno.ENXIO:  # a socket
            raise _unsafe("FIL-002", path, "ce n'est pas un fichier ordinaire") from error
        raise


def _unsafe(code: str, path: Path, why: str) -> UnsafeFileError:
    return UnsafeFileError(code, f"Fichier refusé : {why}.", f"Retirez « {path.name} » du dossier.")


def _too_large(path: Path, max_size: int) -> UnsafeFileError:
    return _unsafe("FIL-003", path, f"il dépasse {max_size // 1024} Kio")


# -------------------------------------------------------------------------------------------------- locks


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the duration of the block; the system frees it if the process dies.

    The file is left in place: deleting it would let two processes lock two different files of that name.

    Raises:
        StoreError: `LCK-001` another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), PRIVATE_FILE)
    try:
        _lock(descriptor, path)
        with suppress(OSError):  # for the person who looks; the lock is the truth, even on a full disk
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)  # frees the lock


def lock_holder(path: Path) -> int | None:
    """Process id last written in a lock file, for messages; None when there is none."""
    with suppress(OSError, ValueError, IndexError):  # IndexError: locked, and its holder has not written yet
        return int(path.read_text(encoding="ascii").split()[0])
    return None


def _lock(descriptor: int, path: Path) -> None:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCK_OFFSET, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}:
            raise
        holder = lock_holder(path)
        raise StoreError(
            "LCK-001",
            "Une autre passerelle travaille déjà ici" + (f" (processus {holder})." if holder else "."),
            "Arrêtez-la, ou donnez à celle-ci son propre dossier.",
        ) from error


# ------------------------------------------------------------------------------------------- file systems


def is_network_filesystem(path: Path) -> bool | None:
    """Whether `path` lies on a network share, where SQLite's locks cannot be trusted; None when unknown.

    `path` need not exist yet: its nearest existing parent decides.
    """
    existing = path.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if sys.platform == "win32":
        return _is_network_drive(existing)
    mounts = Path("/proc/self/mountinfo")  # Linux; macOS has no such file, so the answer there is "unknown"
    text = mounts.read_text(encoding="utf-8", errors="surrogateescape") if mounts.exists() else ""
    return network_mount(existing.resolve(), text)


def network_mount(path: Path, mountinfo: str) -> bool | None:
    """Whether the mount that holds `path` is a network one, given the text of /proc/self/mountinfo (proc(5))."""
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, types = left.split(), right.split()
        if len(fields) < 5 or not types:
            continue
        point = Path(_unescape(fields[4]))
        # The last mount on a point hides those before it, hence >=.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), types[0]
    return (kind in _NETWORK_TYPES or kind in _NETWORK_FUSE) if kind else None


def _unescape(text: str) -> str:
    """Undo mountinfo's octal escapes of blank, tab, newline and backslash."""
    for octal, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, plain)
    return text


if sys.platform == "win32":

    def _is_network_drive(path: Path) -> bool | None:
        import ctypes

        anchor = path.resolve().anchor
        if anchor.startswith("\\\\"):
            return True
        kind = ctypes.windll.kernel32.GetDriveTypeW(anchor)
        return {2: False, 3: False, 4: True, 5: False, 6: False}.get(kind)  # DRIVE_REMOTE is 4; 0 and 1 unknown


# ------------------------------------------------------------------------------------------- this machine


_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def machine_digest() -> str | None:
    """What tells this machine from others whatever it is called: a digest of its identity, which is not to leave it
    (machine-id(5)). None where it has none, as in many containers, or on macOS.
    """
    if sys.platform == "win32":
        found = _machine_guid()
    else:
        found = _machine_id()
    return sha256(b"kine-gateway " + found.encode()).hexdigest()[:32] if found else None


def _machine_id() -> str:
    for path in _MACHINE_IDS:
        with suppress(OSError, ValueError):
            found = path.read_text(encoding="ascii").strip()
            if re.fullmatch("[0-9a-f]{32}", found):  # `uninitialized` on a first boot
                return found
    return ""


if sys.platform == "win32":

    def _machine_guid() -> str:
        import winreg

        with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography") as key:
            return str(winreg.QueryValueEx(key, "MachineGuid")[0])
        return ""


# --------------------------------------------------------------------------------------------------- time


def boot_id() -> str:
    """Names this run of the machine, from one start to the next; empty where the system does not say (random(4))."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


# ------------------------------------------------------------------------------------------------ service


def notify_service(state: str) -> bool:
    """Tell systemd about the service (`READY=1`, `WATCHDOG=1`, `STOPPING=1`; sd_notify(3)).

    Returns whether somebody was told; outside systemd it does nothing.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if sys.platform == "win32" or not address.startswith(("/", "@")):
        return False
    # A leading @ stands for the abstract namespace's zero byte.
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto(state.encode(), target)
        except OSError:
            return False
    return True


def call_on_stop(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    """Call `callback` within `loop` when the service is told to stop (SIGTERM) or the user types Ctrl-C.

    Must be called from the main thread. Windows loops have no signal handlers of their own, so there the plain
    handler hands the call over; SIGBREAK is what its service managers send.
    """
    if sys.platform == "win32":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(callback))
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, callback)
