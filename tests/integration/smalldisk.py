"""A small file system of its own, that a test fills up and frees again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SmallDisk:
    """A tmpfs. `fill` leaves not one page free."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._filler = root / ".filler"

    def fill(self) -> None:
        """Take all the room there is."""
        with self._filler.open("ab", buffering=0) as stream:
            try:
                while True:
                    stream.write(bytes(1 << 16))
            except OSError:
                pass
            try:
                while True:
                    stream.write(bytes(1 << 12))
            except OSError:
                return

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)

    @property
    def full(self) -> bool:
        """Whether there is no room left."""
        return os.statvfs(self.root).f_bavail == 0


@contextmanager
def mounted(root: Path, size: str) -> Iterator[SmallDisk]:
    """Mount it on `root` for the duration of the block."""
    root.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(root)], check=True)
    try:
        yield SmallDisk(root)
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)
