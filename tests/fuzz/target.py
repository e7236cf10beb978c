"""What a fuzz target is: a parser, what it may refuse with, and what must hold whatever the bytes.

Held for every input of every target: nothing is raised but the documented refusal, no file is opened and no network
touched (`guard`), it ends within `seconds` of processor time, and the process stays within its memory (`run`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.findings import Finding
from tests.fuzz.guard import confined

CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True, slots=True)
class Target:
    """`feed` takes any bytes; `refuses` are the only exceptions that its documentation allows."""

    name: str
    feed: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...] = ()
    words: Sequence[bytes] = ()
    seconds: float = 2.0
    share: float = 8
    """Part of the executions of a campaign, against the other targets: what is slow or simple gets less."""

    def seeds(self) -> list[bytes]:
        """The corpus of this target, in the order of the names."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())]


class BrokenError(AssertionError):
    """A target did what its parser promises not to do."""


def execute(target: Target, data: bytes, scratch: Path | None = None) -> None:
    """One execution, held to everything. Raises BrokenError, ForbiddenError, or what the parser should not raise."""
    before = time.thread_time()
    with confined(scratch), contextlib.suppress(*target.refuses):
        target.feed(data)
    took = time.thread_time() - before
    if took > target.seconds:
        raise BrokenError(f"{target.name}: {took:.1f} s of processor time for {len(data)} bytes")


def sound(findings: Sequence[Finding]) -> None:
    """Findings as every face needs them: a stable code, a message, and text that can be written as UTF-8 JSON."""
    for one in findings:
        if not (one.code and one.message):
            raise BrokenError(f"a finding without code or message: {one.code}")
        for text in one.as_dict().values():
            text.encode()
