"""The bait: a file with a secret, a pipe that notices a reader, a port that counts who came.

It tells of what no audit hook of Python sees too: libxml2, typst and Pillow open files by themselves.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SECRET = "contenu-que-personne-ne-doit-lire"


@dataclass
class Outside:
    """What a document may try to reach: a file with a secret, a pipe that notices a reader, a port that counts."""

    secret: Path
    pipe: Path
    port: int
    server: socket.socket

    def touched(self) -> bool:
        """Whether the pipe has a reader or a connection waits."""
        try:
            os.close(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            opened = False  # ENXIO: nobody holds its reading end
        else:
            opened = True
        try:
            self.server.accept()[0].close()
        except BlockingIOError:
            return opened
        return True


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    secret, pipe = tmp_path / "secret.txt", tmp_path / "pipe"
    secret.write_text(SECRET)
    os.mkfifo(pipe)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield Outside(secret, pipe, server.getsockname()[1], server)
