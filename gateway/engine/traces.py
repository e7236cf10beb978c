"""Keeps traces: one file for each day, one JSON line for each action on a server, only ever appended to.

A file and not a table: traces are erased after some months while the journal never is, a line costs no transaction,
and it outlives the process that wrote it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway import platform
from gateway.channels.trace import Trace
from gateway.clock import Clock

_LOG = logging.getLogger("gateway.engine")
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.jsonl")


class TraceLog:
    """The traces of one gateway. Any number of processes may append at once: a line is one write."""

    def __init__(self, folder: Path, keep_days: int, clock: Clock) -> None:
        self._folder = folder
        self._keep = timedelta(days=keep_days)
        self._clock = clock
        self._day: date | None = None
        self._lock = threading.Lock()

    def __call__(self, trace: Trace) -> None:
        """Append a trace to the file of its day. Raises OSError."""
        line = json.dumps(trace.as_dict(), ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        day = trace.at.astimezone(UTC).date()
        with self._lock:
            if day != self._day:
                platform.make_private_dir(self._folder)
                self.prune()
                self._day = day
            self._append(self._folder / f"{day.isoformat()}.jsonl", line)

    def _append(self, path: Path, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, platform.PRIVATE_FILE)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def prune(self) -> list[date]:
        """Delete the files of days that are kept no longer; returns those days. Raises OSError."""
        gone = self.expired()
        for day in gone:
            platform.remove(self._folder / f"{day.isoformat()}.jsonl")
        if gone:
            _LOG.info("traces_erased", extra={"days": len(gone), "until": gone[-1].isoformat()})
        return gone

    def expired(self) -> list[date]:
        """Days whose traces are kept no longer, oldest first."""
        oldest = (self._clock.now() - self._keep).date()
        return [day for day in self.days() if day < oldest]

    def days(self) -> list[date]:
        """Days of which there are traces, oldest first."""
        if not self._folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(date.fromisoformat(match[1]) for match in found if match)

    def read(
        self, *, since: datetime | None = None, until: datetime | None = None, delivery: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Traces as plain data, oldest first: from `since` on, before `until` (aware), about one delivery.

        A line cut by a power failure is left out.
        """
        for day in self.days():
            if since is not None and day < since.astimezone(UTC).date():
                continue
            if until is not None and day > until.astimezone(UTC).date():
                break
            for trace in self._lines(self._folder / f"{day.isoformat()}.jsonl", delivery):
                at = datetime.fromisoformat(trace["at"])
                if (since is None or at >= since) and (until is None or at < until):
                    yield trace

    def _lines(self, path: Path, delivery: str | None) -> Iterator[dict[str, Any]]:
        with path.open("rb") as stream:
            for line in stream:
                if delivery is not None and delivery.encode() not in line:
                    continue  # most lines: not worth decoding
                try:
                    trace = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if not isinstance(trace, dict):
                    continue
                if delivery is None or trace.get("delivery") == delivery:
                    yield trace
