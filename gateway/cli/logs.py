"""Log lines of long-running commands: one event per line, codes and ids only, never content or identity."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, event, then what the event carries."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        value = {"at": at, "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps(value | _extra(record), ensure_ascii=False, default=str)


class Plain(logging.Formatter):
    """One short line for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        extra = " ".join(f"{key}={value}" for key, value in _extra(record).items())
        return f"{datetime.fromtimestamp(record.created).astimezone():%H:%M:%S} {record.getMessage()} {extra}".rstrip()


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def to_stderr(*, as_json: bool) -> None:
    """Send the gateway's own log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else Plain())
    log = logging.getLogger("gateway")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
