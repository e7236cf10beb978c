"""Findings: what a check saw, where, how grave it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error` stops the sending of what it concerns, `warning` and `info` never do (DESIGN §1)."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation.

    `code` is stable (`INS-003`), `path` is a JSON Pointer into the input (RFC 6901) or an XPath into a
    document, `message` and `advice` are French text, `source` names the rule (`RNIV`, `CI-SIS ...`).
    A message never repeats a trait of the patient: findings are shown, logged and stored in clear.
    """

    code: str
    severity: Severity
    path: str
    message: str
    advice: str = ""
    source: str = ""

    def as_dict(self) -> dict[str, str]:
        """A JSON-ready dict with the field names of the published schema."""
        return {key: str(value) for key, value in asdict(self).items()}


def error(code: str, path: str, message: str, advice: str = "", source: str = "") -> Finding:
    """A finding that stops."""
    return Finding(code, Severity.ERROR, path, message, advice, source)


def warning(code: str, path: str, message: str, advice: str = "", source: str = "") -> Finding:
    """A finding that is shown and journalled, and stops nothing."""
    return Finding(code, Severity.WARNING, path, message, advice, source)


def step(name: str) -> str:
    """A step of a path that is somebody else's text: printable ASCII, 80 characters; a terminal must not obey it."""
    return name[:80] if name.isascii() and name.isprintable() else ascii(name[:80])


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any finding stops."""
    return any(finding.severity is Severity.ERROR for finding in findings)
