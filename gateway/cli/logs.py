"""Log lines of long-running commands: one event per line, codes and ids only, never content or identity.

What may stand in a line is a closed list: the name of the event, and the fields below, each value short and shaped
like a code. Anything else is left out, and the line says that something was: a library, or a careless line of ours,
cannot put a patient's name into a log.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TextIO

FIELDS = frozenset(
    {
        "account", "attempt", "bytes", "channel", "checkpoint", "code", "codes", "days", "delivery", "destination",
        "document", "documents", "due_in", "elapsed", "error", "failures", "host", "key_id", "kind", "mails", "method",
        "over", "place", "reason", "route", "seconds", "size", "state", "status", "token", "until",
    }
)  # fmt: skip
"""Every field that a log line may have beside its time, level and event."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_EVENT = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_CODE = re.compile(r"[A-Za-z0-9_.:/+@*{}=, \[\]'’()-]{0,120}")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_LONG_NUMBER = re.compile(r"(?<![0-9A-Fa-f.-])[0-9][0-9 ]{9,}[0-9](?![0-9A-Fa-f-])")
UNNAMED = "unnamed_event"
DROPPED = "dropped"


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, event, then what the event carries."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        event, fields = told(record)
        value = {"at": at, "level": record.levelname.lower(), "event": event}
        return json.dumps(value | fields, ensure_ascii=False)


class Plain(logging.Formatter):
    """One short line for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        event, fields = told(record)
        extra = " ".join(f"{key}={value}" for key, value in fields.items())
        return f"{datetime.fromtimestamp(record.created).astimezone():%H:%M:%S} {event} {extra}".rstrip()


def told(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """Event and fields of a record as they may be written. A traceback never is: it quotes what the code held."""
    message = record.getMessage()
    named = _EVENT.fullmatch(message) is not None
    given = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    fields = {key: clean for key, value in given.items() if key in FIELDS and (clean := _clean(value)) is not None}
    left = sorted((given.keys() - fields.keys()) | (set() if named else {"message"}))
    if not named:
        fields["place"] = f"{record.module}:{record.lineno}"
    return message if named else UNNAMED, fields | ({DROPPED: len(left)} if left else {})


def _clean(value: object) -> object:
    """A value as it may be written; None: not at all."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping) or not isinstance(value, str | list | tuple):
        return None
    if not isinstance(value, str):
        cleaned = [_clean(one) for one in value]
        return None if None in cleaned else cleaned
    fits = _CODE.fullmatch(value) and not _ADDRESS.search(value) and not _LONG_NUMBER.search(value)
    return value if fits else None


@contextmanager
def strangers_on_stderr(*, as_json: bool) -> Iterator[None]:
    """While a command runs: what a library says without a handler of its own, in our form.

    Python would write it as it is, and a reader of PDF or of mail quotes what it reads.
    """
    handler = _handler(as_json=as_json)
    handler.setLevel(logging.WARNING)
    before, logging.lastResort = logging.lastResort, handler
    warned = logging.getLogger("py.warnings")
    warned.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        warned.removeHandler(handler)
        logging.lastResort = before


@contextmanager
def on_stderr(*, as_json: bool) -> Iterator[None]:
    """While a command runs: the gateway's own log lines go to standard error, and those of libraries with them.

    All is as before afterwards: a program that calls the command in its own process has given it a standard error for
    that long, and may have closed it.
    """
    log = logging.getLogger("gateway")
    before = log.handlers[:], log.level, log.propagate
    log.handlers[:] = [_handler(as_json=as_json)]
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        with strangers_on_stderr(as_json=as_json):
            yield
    finally:
        log.handlers[:], log.propagate = before[0], before[2]
        log.setLevel(before[1])


def _handler(*, as_json: bool) -> logging.StreamHandler[TextIO]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else Plain())
    return handler
